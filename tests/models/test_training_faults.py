"""What a night does to a training: rates that explode, labels that are no numbers, full disks, kills."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from made_fields import weights
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from toys import SHORT, Toy, assert_same, finish

from napari_autofocus.errors import InputError
from napari_autofocus.models.learning import checkpoint
from napari_autofocus.models.learning.records import RunState
from napari_autofocus.models.learning.watch import has_exploded
from napari_autofocus.models.training import TrainingSettings, train

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "kills_training.py"
SHARP = TrainingSettings(samples=1600, batch=16, validate_every=80, warmup=0, learning_rate=0.001)


class Deep(Toy):
    """Layers without normalisation, which a high learning rate blows up."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        layers = [layer for _ in range(4) for layer in (nn.Linear(64, 64), nn.ReLU())]
        self.network = nn.Sequential(nn.Flatten(), *layers, nn.Linear(64, 1))


class Lost(Toy):
    """Labels of some losses, counted from the first one computed, are no numbers."""

    def __init__(self, *lost: int) -> None:
        super().__init__(scores=[1.0] * 99)
        self.lost, self.losses = lost, 0

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        self.losses += 1
        level = batch["level"] * math.nan if self.losses in self.lost else batch["level"]
        return super().loss(network, {**batch, "level": level})


def state_in(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        return dict(json.loads(file.metadata()["state"]))


# --- Divergence -------------------------------------------------------------------------------------------------------


def test_a_run_with_an_absurd_learning_rate_stops_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    with pytest.raises(
        InputError, match=r"^Training diverged after \d+ batches .* 2 times, .* of 0.9 .* lower learning"
    ):
        finish(train(Deep(), replace(SHARP, learning_rate=0.9), path))
    assert state_in(path)["history"] == []
    began = {f"network.{name}": value for name, value in Deep().network.state_dict().items()}
    kept = load_file(path)
    assert_same({name: kept[name] for name in began}, began)


def test_a_run_that_diverges_once_ends_well_at_half_the_rate(tmp_path: Path) -> None:
    steps, taught = finish(train(Deep(), replace(SHARP, learning_rate=0.1, hold=1.0), tmp_path / "run.safetensors"))
    assert taught.retreats == steps[-1].retreats == 1
    assert {step.learning_rate for step in steps} == {0.1, 0.05}
    assert taught.history[-1]["score"] < 0.1
    samples = [figures["samples"] for figures in taught.history]
    assert samples == sorted(set(samples))
    assert samples[-1] == 1600


def test_a_network_that_collapses_goes_back_without_a_checkpoint_too() -> None:
    """All its units have died; its loss is then that of a constant, which is no explosion."""

    class Dying(Toy):
        learned = 0

        def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
            self.learned += network.training
            if network.training and self.learned == 90:
                for parameter in self.network.parameters():
                    parameter.data.zero_()
            return super().loss(network, batch)

    settings = TrainingSettings(samples=6400, batch=32, learning_rate=0.02, averaging=0.5, validate_every=640)
    _, taught = finish(train(Dying(), settings))
    assert taught.retreats == 1
    assert taught.history[-1]["score"] < 0.1


def test_one_loss_that_is_no_number_is_got_over(tmp_path: Path) -> None:
    task = Lost(5)
    steps, taught = finish(train(task, SHORT, tmp_path / "run.safetensors", every=1))
    assert task.losses == 10 + 1 + 1  # the fifth again, and the fourth, after the validation at the third
    assert taught.retreats == 1
    assert all(math.isfinite(step.loss) for step in steps)
    assert all(bool(value.isfinite().all()) for value in weights(taught.network).values())


def test_labels_that_are_no_numbers_stop_the_run_and_spoil_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    with pytest.raises(
        InputError, match=r"diverged after 4 batches \(the loss is nan, .* labels that are wrong or no num"
    ):
        finish(train(Lost(5, 7, 9), SHORT, path))
    assert all(bool(value.isfinite().all()) for value in load_file(path).values())
    assert state_in(path)["step"] == 3


def test_a_score_that_is_no_number_is_no_score(tmp_path: Path) -> None:
    task = Toy(scores=[1.0, math.nan, 0.9, 0.8, 0.7])
    _, taught = finish(train(task, SHORT, tmp_path / "run.safetensors"))
    assert [figures["score"] for figures in taught.history] == [1.0, 0.9, 0.8, 0.7]
    assert taught.retreats == 1


def test_that_a_run_went_back_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    running = train(Lost(5), SHORT, path, every=1)
    while next(running).retreats == 0:
        pass
    running.close()
    assert state_in(path)["retreats"] == 1
    steps, _ = finish(train(Toy(scores=[1.0] * 9), SHORT, path, every=1))
    assert {step.retreats for step in steps} == {1}


@pytest.mark.parametrize(
    ("loss", "scores", "strikes", "exploded"),
    [
        (3.1, [1.0, 2.0], 0, True),
        (3.1, [1.0, 0.9], 0, False),  # it gets better all the same
        (2.9, [1.0, 2.0], 0, False),
        (3.1, [5.0], 0, True),  # nothing to compare with
        (3.1, [5.0, 4.0], 1, True),  # nor by a score that had exploded itself
        (1.0, [2.0, 0.5, 1.6], 0, True),
        (1.0, [2.0, 0.5, 1.2], 0, False),  # under three times
        (1.0, [2.0, 0.01, 0.2], 0, False),  # a small part of what was gained
        (1.0, [0.1, 0.08, 0.3], 0, True),  # worse than at first
    ],
)
def test_what_counts_as_exploded(loss: float, scores: list[float], strikes: int, exploded: bool) -> None:
    history = [{"score": score} for score in scores]
    assert has_exploded(RunState(loss=loss, best_loss=1.0, history=history, strikes=strikes)) is exploded


# --- Going on with something else -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, r"seed 0 \(now 1\)"),
        ({"batch": 4}, r"batch 8 \(now 4\)"),
        ({"learning_rate": 0.02}, r"learning rate 0.01 \(now 0.02\)"),
        ({"averaging": 0.9}, r"schedule \w+ \(now \w+\)"),
        ({"seed": 1, "batch": 4}, r"seed 0 \(now 1\) and batch 8 \(now 4\)"),
    ],
)
def test_another_training_is_not_gone_on_with(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = tmp_path / "run.safetensors"
    finish(train(Toy(), SHORT, path))
    content = path.read_bytes()
    with pytest.raises(InputError, match=f"is of a training with {words}; go on with what it began with, or delete it"):
        next(train(Toy(), replace(SHORT, **changes), path))
    assert path.read_bytes() == content


def test_samples_time_and_distances_may_change(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    finish(train(Toy(), SHORT, path))
    longer = replace(SHORT, samples=96, minutes=60.0, validate_every=8, patience=50, checkpoint_minutes=9.0)
    steps, _ = finish(train(Toy(), longer, path, every=1))
    assert [step.samples for step in steps] == [88, 96]


# --- What is kept, and when -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "kept"), [(0.0, [1, 2, 3, 4, 5]), (60.0, [0, 0, 3, 3, 3])])
def test_checkpoints_come_in_time_and_at_validations(tmp_path: Path, minutes: float, kept: list[int]) -> None:
    path = tmp_path / "run.safetensors"
    running = train(Toy(), replace(SHORT, checkpoint_minutes=minutes), path, every=1)
    found = []
    for _ in kept:
        next(running)
        found.append(state_in(path)["step"] if path.exists() else 0)
    running.close()
    assert found == kept


def test_history_tells_when_and_how_fast(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    _, first = finish(train(Toy(), SHORT, path))
    assert {"samples", "seconds", "loss", "learning_rate", "score"} == set(first.history[0])
    seconds = [figures["seconds"] for figures in first.history]
    assert seconds == sorted(seconds)
    steps, _ = finish(train(Toy(), replace(SHORT, samples=160), path, every=1))
    assert list(steps[0].history) == first.history


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB, where a disk may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], capture_output=True)
    except OSError:
        pytest.skip("no mount here")
    if mounted.returncode:
        pytest.skip("not allowed to mount a disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_fills_stops_the_run_and_keeps_the_checkpoint_before(small_disk: Path) -> None:
    path = small_disk / "run.safetensors"
    running = train(Toy(), replace(SHORT, checkpoint_minutes=0.0), path, every=1)
    for _ in range(4):
        next(running)
    filler = small_disk / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free)
    with pytest.raises(
        InputError, match=r"^The disk is full, .*run.safetensors cannot be written; make room and start"
    ):
        next(running)
    assert [name.name for name in small_disk.iterdir() if name.suffix == ".part"] == []
    filler.unlink()
    steps, pieced = finish(train(Toy(), SHORT, path, every=1))
    assert steps[0].samples == 40
    _, whole = finish(train(Toy(), SHORT))
    assert_same(weights(pieced.network), weights(whole.network))


def test_a_full_disk_is_told_once_and_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.safetensors"
    running = train(Toy(), replace(SHORT, checkpoint_minutes=0.0), path, every=1)
    next(running)
    content = path.read_bytes()

    def full(target: Path, content: bytes) -> None:
        with target.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"The disk is full") as refusal:
        next(running)
    assert refusal.value.__context__ is refusal.value.__cause__
    assert path.read_bytes() == content
    assert {file.name for file in tmp_path.iterdir()} == {"run.safetensors", "run.best.safetensors"}


def test_what_a_kill_left_half_written_is_tidied_away(tmp_path: Path) -> None:
    left = [tmp_path / f".{name}.safetensors.x1y2.part" for name in ("run", "run.best")]
    other = tmp_path / ".other.safetensors.x1y2.part"
    for path in (*left, other):
        path.write_bytes(b"half")
    finish(train(Toy(), SHORT, tmp_path / "run.safetensors"))
    assert [path.name for path in tmp_path.glob(".*")] == [other.name]


@pytest.mark.skipif(sys.platform == "win32", reason="kills forks")
def test_runs_that_are_killed_end_as_one_that_was_not(tmp_path: Path) -> None:
    """kill -9 at two random moments; the same with fifty is ``benchmarks/kills_training.py``."""
    out = tmp_path / "kills.json"
    command = [sys.executable, BENCHMARK, "--kills", "2", "--samples", "800", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    assert (found["kills"], found["identical"], found["failed"]) == (2, found["runs"], 0)


def test_the_best_state_may_not_be_missing_when_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    running = train(Lost(5), SHORT, path, every=1)
    for _ in range(4):
        next(running)
    (tmp_path / "run.best.safetensors").unlink()
    with pytest.raises(InputError, match=r"run.best.safetensors is no checkpoint that can be read"):
        finish(running)


def test_snapshots_are_copies() -> None:
    network = nn.Linear(2, 1)
    optimiser = torch.optim.AdamW(network.parameters())
    kept = checkpoint.snapshot(network, network, optimiser)
    before = {name: value.clone() for name, value in kept.items()}
    with torch.no_grad():
        network.weight.zero_()
    assert_same(kept, before)
