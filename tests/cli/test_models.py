"""``napari-autofocus models`` tells what is installed, broken files included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from napari_autofocus.cli import app
from napari_autofocus.models import library
from tiny_models import tiny_bytes, tiny_file
from tiny_pairs import tiny_pair_file


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the user's models; none is shipped."""
    monkeypatch.setattr(library, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv(library.USER_FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def test_models_are_listed_with_what_they_are_for(user_folder: Path) -> None:
    tiny_file(user_folder)
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if "tiny-20x" in line)
    for words in ("20x/0.75, rgb", "0.325", "±10", "0.12", "99.5%", "user"):
        assert words in row
    assert str(user_folder) in result.stderr


def test_models_as_json(user_folder: Path) -> None:
    path = tiny_file(user_folder)
    result = CliRunner().invoke(app, ["models", "--json"])
    (model,) = json.loads(result.stdout)["models"]
    assert (model["name"], model["path"], model["place"], model["fault"]) == ("tiny-20x", str(path), "user", None)
    assert model["optics"]["na"] == 0.75
    assert (model["range_um"], model["dof_um"], model["kind"]) == (10.0, 1.0, "one-shot")
    assert model["evaluation"]["mae_um"] == 0.125
    assert model["size_bytes"] == path.stat().st_size


def test_a_broken_model_is_listed_with_the_reason(user_folder: Path) -> None:
    (user_folder / "cut.zip").write_bytes(tiny_bytes()[:2000])
    listed = CliRunner().invoke(app, ["models"])
    assert "broken" in listed.stdout
    assert "cut is broken: " in listed.stderr
    (model,) = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)["models"]
    assert "cut short" in model["fault"]
    assert model["optics"] is None


def test_no_model_is_said_in_words(user_folder: Path) -> None:
    result = CliRunner().invoke(app, ["models"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No model is installed." in result.stderr


def test_models_of_two_shots_are_listed_with_their_kind_and_distance(user_folder: Path) -> None:
    tiny_pair_file(user_folder)
    row = next(line for line in CliRunner().invoke(app, ["models"]).stdout.splitlines() if "tiny-pair" in line)
    assert "two-shot" in row
    (model,) = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)["models"]
    assert (model["kind"], model["dz_um"], model["half_um"]) == ("two-shot", 2.0, None)
