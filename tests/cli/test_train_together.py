"""``torchrun -m napari_autofocus train``: the real launcher, the real command, a model in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_autofocus.models.package import open_package
from own_folders import write_stacks


def _torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    train = ["-m", "napari_autofocus", "train", *map(str, arguments), "--json"]
    return subprocess.run(
        [*command, *train], capture_output=True, text=True, timeout=550, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


@pytest.mark.timeout(600)
def test_two_processes_make_one_model(tmp_path: Path) -> None:
    stacks, work, out = write_stacks(tmp_path / "stacks", 3), tmp_path / "work", tmp_path / "m.zip"
    done = _torchrun(stacks, "--minutes", 0.001, "--work", work, "--out", out)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == str(out)  # one object, of one process
    assert done.stderr.count("Learned from") == 1
    assert open_package(out).card.name == "m"
    assert [path.name for path in work.iterdir() if path.suffix == ".part"] == []


def test_without_a_shared_folder_they_are_refused_in_one_sentence(tmp_path: Path) -> None:
    done = _torchrun(write_stacks(tmp_path / "stacks", 1), "--out", tmp_path / "m.zip")
    assert done.returncode != 0
    assert done.stderr.count("Processes that train together share a work folder; name one with --work.") == 1
    assert list(tmp_path.glob("*.zip")) == []
