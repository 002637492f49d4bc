"""``napari-autofocus tune`` in a process of its own, on the real Ray Tune: it ends, is killed, goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from napari_autofocus.cli import app
from napari_autofocus.models import extras
from napari_autofocus.models.package import open_package
from napari_autofocus.workflows.shipped.models import RECIPES
from napari_autofocus.workflows.tuning_found import read_found, tuned, write_found
from own_folders import write_stacks
from tuned_data import made_found, shards

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (the extra tune)")
PATIENCE_S = 500.0


def _command(folder: Path, *more: object) -> list[str]:
    asked = ["--recipe", "brightfield-20x", "--population", 2, "--generations", 2, "--samples", 256]
    places = [folder / "data", "--work", folder / "work", "--out", folder / "s.json", "--json"]
    return [sys.executable, "-m", "napari_autofocus", "tune", *map(str, (*places, *asked, *more))]


@contextmanager
def _started(folder: Path, *more: object) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The command, running in a group of its own as a shell would start it, and the file of what it says."""
    said = folder / f"said-{time.monotonic_ns()}.txt"
    with said.open("w") as errors, (folder / "out.txt").open("w") as out:
        process = subprocess.Popen(
            _command(folder, *more),
            stdout=out,
            stderr=errors,
            text=True,
            start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    try:
        yield process, said
    finally:
        process.kill()
        process.wait()


def _until(true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    until = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until, "it takes too long"
        assert process is None or process.poll() is None, "it has ended"
        time.sleep(0.1)


def _of_ray(folder: Path) -> list[int]:
    """Processes that Ray left behind for a work folder, by its own folder there or its temporary one."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(str(folder / "work" / "ray") in word for word in words):
            found.append(process.pid)
    return found


def _json_in(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out.txt").read_text(encoding="utf-8")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shards(tmp_path / "data")
    return tmp_path


@needs_ray
@pytest.mark.timeout(1200)
def test_a_population_outlives_a_member_that_is_killed_and_goes_on_where_all_of_it_was(folder: Path) -> None:
    with _started(folder) as (process, said):
        now = folder / "work" / "members" / "000" / "now.json"
        _until(now.exists, process)
        os.kill(int(json.loads(now.read_text(encoding="utf-8"))["pid"]), signal.SIGKILL)
        _until(lambda: said.read_text().count("Generation 1") == 2, process)
        process.kill()  # no time to tidy up
    _until(lambda: not _of_ray(folder))
    first = (folder / "work" / "members" / "000" / "generation-001.json").read_text(encoding="utf-8")

    with _started(folder) as (process, said):
        assert process.wait(PATIENCE_S) == 0, said.read_text()

    told, found = _json_in(folder), read_found(folder / "s.json")
    assert told["settings"] == str(folder / "s.json")
    assert [leg["until"] for leg in told["course"]] == [0.5, 1.0]
    assert [len(member["scores_um"]) for member in told["population"]] == [2, 2]
    assert [member["failed"] for member in told["population"]] == [None, None]
    assert sorted(member["taken"][1] for member in told["population"]) in ([0, 0], [1, 1])  # the worse took over
    assert (folder / "work" / "members" / "000" / "generation-001.json").read_text(encoding="utf-8") == first
    assert tuned(RECIPES["brightfield-20x"].plan, found).defocus.width == found.width
    assert sorted(path.name for path in (folder / "work").glob("ray*")) == []


@needs_ray
@pytest.mark.timeout(1200)
def test_ctrl_c_keeps_what_was_learned_and_leaves_no_process(folder: Path) -> None:
    with _started(folder) as (process, said):
        _until(lambda: "Generation 1, member" in said.read_text(), process)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert "the same command goes on from there" in said.read_text()

    assert not (folder / "s.json").exists()
    _until(lambda: not _of_ray(folder))
    assert (folder / "work" / "population.json").exists()
    assert not (folder / "work" / "ray-results").exists()


def _refused(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["tune", *map(str, arguments), "--json"])
    assert done.exit_code == 2, done.output
    return str(json.loads(done.stdout)["error"])


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "ray" else find_spec(name))

    assert "takes ray, which is not installed here; pip install 'napari-autofocus[tune]'" in _refused(
        tmp_path, "--out", tmp_path / "s.json"
    )


@needs_ray
def test_what_cannot_work_is_refused_before_anything_takes_long(tmp_path: Path) -> None:
    shards(tmp_path / "data")
    out = "--out", tmp_path / "s.json"

    assert "at least 2; found 1" in _refused(tmp_path / "data", *out, "--population", 1)
    assert "either how many minutes" in _refused(tmp_path / "data", *out, "--minutes", 1, "--samples", 8)
    assert "JSON file" in _refused(tmp_path / "data", "--out", tmp_path / "s.zip")
    assert "folder that exists" in _refused(tmp_path / "data", "--out", tmp_path / "none" / "s.json")
    assert "--recipe" in _refused(tmp_path / "data", *out)
    assert "leave out --base" in _refused(tmp_path / "data", *out, "--base", "brightfield-20x")
    assert "two shots" in _refused(write_stacks(tmp_path / "stacks", 1), *out, "--base", "two-shot-20x")


def _train_refused(folder: Path, *arguments: object) -> str:
    write_found(folder / "s.json", made_found(width=0.75))
    places = [folder / "stacks", "--out", folder / "m.zip", "--settings", folder / "s.json"]
    done = CliRunner().invoke(app, ["train", *map(str, (*places, *arguments)), "--json"])
    assert done.exit_code == 2, done.output
    return str(json.loads(done.stdout)["error"])


def test_train_refuses_settings_that_do_not_fit_what_it_is_to_teach(tmp_path: Path) -> None:
    write_stacks(tmp_path / "stacks", 3)

    assert "a network of width 0.75, and brightfield-20x has 1" in _train_refused(tmp_path, "--base", "brightfield-20x")
    assert "models of one shot" in _train_refused(tmp_path, "--kind", "virtual")


def test_train_follows_the_settings(tmp_path: Path) -> None:
    write_stacks(tmp_path / "stacks", 3)
    write_found(tmp_path / "s.json", made_found(width=0.5))
    asked = ["--minutes", "0.001", "--settings", str(tmp_path / "s.json"), "--out", str(tmp_path / "m.zip")]
    done = CliRunner().invoke(app, ["train", str(tmp_path / "stacks"), *asked, "--json"])

    assert done.exit_code == 0, done.output
    card = open_package(tmp_path / "m.zip").card
    assert card.defocus_network.settings["width"] == 0.5
    course = card.training.details["plan"]["defocus_training"]["course"]
    assert [leg["learning_rate"] for leg in course] == [2e-3, 1e-3]
