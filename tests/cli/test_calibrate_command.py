"""``napari-autofocus calibrate``: what it is told, what it tells, and its undo."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import napari_autofocus.workflows.calibrate as calibrate_module
from made_calibration import record, taught
from napari_autofocus.cli import app
from napari_autofocus.models.package import open_package
from napari_autofocus.workflows.calibration.record import CalibrationRecord
from napari_autofocus.workflows.calibration_undo import install_again
from tiny_models import tiny_file

runner = CliRunner()


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """The folder of a calibration whose model is in place."""
    folder = tmp_path / "mine.calibration"
    folder.mkdir()
    fingerprint = open_package(tiny_file(folder, "model")).fingerprint
    record(taught=taught(fingerprint=fingerprint), installed=None).write(folder)
    install_again(folder, tmp_path / "mine.zip")
    return folder


def test_undo_puts_the_model_away_and_says_what_came_back(finished: Path) -> None:
    target = finished.with_name("mine.zip")
    told = runner.invoke(app, ["calibrate", "--undo", str(finished), "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout) == {"model": None, "undone": str(target), "former": None}
    assert not target.exists()
    again = runner.invoke(app, ["calibrate", "--undo", str(finished)])
    assert again.exit_code == 2
    assert "there is nothing to undo" in again.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Name the model to write"),
        (["--out", "mine.zip", "--stacks", "2"], "takes 4 to 200 stacks; found 2"),
        (["--out", "mine.zip", "--microscope", "none.cfg"], "objective of a real microscope must be stated"),
        (["--out", "mine.onnx"], "A model is a zip file"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    options: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = runner.invoke(app, ["calibrate", "--shape", "64x64", *options])
    assert told.exit_code == 2
    assert sentence in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_json_object_holds_model_evaluation_and_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def calibrated(microscope: Any, plan: Any, folder: Path, target: Path) -> Generator[Any, None, CalibrationRecord]:
        asked.update(plan=plan, folder=folder, target=target, optics=microscope.core)
        return record()
        yield

    monkeypatch.setattr(calibrate_module, "calibrate", calibrated)
    options = ["--out", str(tmp_path / "mine.zip"), "--shape", "64x64", "--objective", "20x/0.5", "--base", "none"]
    told = runner.invoke(app, ["calibrate", *options, "--spherical-waves", "-0.4", "--stacks", "6", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["model"] == "/models/mine.zip"
    assert {"mae_um", "mae_dof", "direction_success", "by_density"} <= set(found["evaluation"])
    assert found["verdict"]["trust"] == "trust"
    assert found["report"] == str(tmp_path / "mine.calibration" / "calibration.html")
    assert len(found["proofs"]) == 10
    assert asked["plan"].stacks == 6
    assert asked["plan"].base is None
    assert asked["plan"].objective.na == 0.5


def test_a_model_that_is_not_to_be_trusted_is_no_model_and_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calibrated(*_: Any) -> Generator[Any, None, CalibrationRecord]:
        return record(proofs=(), installed=None)
        yield

    monkeypatch.setattr(calibrate_module, "calibrate", calibrated)
    told = runner.invoke(app, ["calibrate", "--out", str(tmp_path / "mine.zip"), "--shape", "64x64", "--json"])
    assert told.exit_code == 3, told.output
    found = json.loads(told.stdout)
    assert found["model"] is None
    assert found["verdict"]["trust"] == "no"
    assert "drive, now at 0.0 µm, will move between" in told.stderr
