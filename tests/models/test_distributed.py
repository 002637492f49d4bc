"""Several processes that teach one network: what one would have taught it, one that talks, one sentence if one dies."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from made_fields import weights
from safetensors.torch import load_file
from toys import SHORT, Toy, assert_same, finish

from napari_autofocus.models.learning.distributed import (
    agree,
    barrier,
    is_main,
    joined,
    main_first,
    own_device,
    process_count,
    share_of,
)
from napari_autofocus.models.training import train

SCRIPT = Path(__file__).with_name("taught_together.py")


def _together(folder: Path, *arguments: str) -> list[tuple[int, str, str]]:
    """Start two processes as a launcher would; exit code, output and errors of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, SCRIPT, folder, *arguments],
            env=os.environ | place | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    told = [process.communicate(timeout=250) for process in started]
    return [(process.returncode, *words) for process, words in zip(started, told, strict=True)]


def test_one_process_is_the_main_one_and_waits_for_nobody() -> None:
    with joined(), main_first():
        barrier()
        assert (is_main(), process_count(), agree([1, "a"])) == (True, 1, [1, "a"])
    assert (share_of(7).part, share_of(7).weight, own_device("cuda")) == (slice(0, 7), 1.0, "cuda")


def test_two_processes_teach_what_one_would_have_taught(tmp_path: Path) -> None:
    """With normalisation over whole batches and one draw of dropout; up to rounding.

    Normalisation takes the first layer's bias out again: its gradient is rounding alone, which Adam makes steps of.
    """
    main, other = _together(tmp_path)
    assert main[0] == other[0] == 0, main[2] + other[2]
    assert (main[1], other[1]) == ("told\n", "")
    assert [(tmp_path / f"share-{rank}").read_text() for rank in (0, 1)] == ["0-4", "4-8"]
    task = Toy()
    finish(train(task, SHORT))
    expected = weights(task.network)
    ends = [load_file(tmp_path / f"end-{rank}.safetensors") for rank in (0, 1)]
    assert_same(ends[0], ends[1])
    for name in expected.keys() - {"0.bias", "1.running_mean"}:
        value = expected[name]
        torch.testing.assert_close(ends[0][name], value, rtol=1e-3, atol=1e-5)
    steps, _ = finish(train(Toy(), SHORT, tmp_path / "run.safetensors"))
    assert steps == []  # one process goes on where two have finished


def test_a_process_that_dies_ends_all_with_a_sentence_and_a_checkpoint(tmp_path: Path) -> None:
    main, other = _together(tmp_path, "5")
    assert (main[0], other[0]) == (2, 9)
    last = main[2].strip().splitlines()[-1]
    assert last.startswith("Error: One of the 2 processes that train together has ended; what was learned is kept up")
    steps, _ = finish(train(Toy(), SHORT, tmp_path / "run.safetensors", every=1))
    assert steps[0].samples in (32, 40, 48)


@pytest.mark.parametrize(("rank", "count", "share"), [(0, 1, (0, 8)), (0, 3, (0, 2)), (1, 3, (2, 5)), (2, 3, (5, 8))])
def test_every_sample_is_somebodys(
    rank: int, count: int, share: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_autofocus.models.learning.distributed._is_joined", lambda: True)
    monkeypatch.setattr("torch.distributed.get_rank", lambda: rank)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: count)
    own = share_of(8)
    assert ((own.start, own.stop), own.weight) == (share, (share[1] - share[0]) / 8)
