"""The tour and the film press the real panels in a real window, with the shipped model on a simulated microscope."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManager
from PIL import Image
from pytestqt.qtbot import QtBot

from napari_autofocus.widgets.connecting import SimulatedChoice
from napari_autofocus.widgets.show import tour
from napari_autofocus.widgets.show.refocus_film import film_refocus
from napari_autofocus.widgets.show.tour import run_tour
from napari_autofocus.workflows.run_log import read_json

pytestmark = [
    pytest.mark.gui,
    # vispy and napari's canvas still use NumPy and Qt calls that are on their way out.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SMALL = SimulatedChoice(density="dense", shape=(384, 448))


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-autofocus")]


def detail(film: Image.Image) -> float:
    """How much neighbouring pixels of the specimen differ, counts."""
    specimen = np.asarray(film.convert("L"), float)[200:400, 100:400]
    return float(np.abs(np.diff(specimen, axis=1)).mean())


@pytest.fixture
def _installed_plugins(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    """napari's own fixtures hide every plugin; show the installed ones. They register their commands once for each
    application: ``mock_app_model`` goes with this, lest the next test meet them."""
    manager = PluginManager()
    manager.discover()
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))


@pytest.mark.usefixtures("_installed_plugins", "mock_app_model")
def test_the_tour_refocuses_holds_labels_and_leaves_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "HOLD_S", 4.0)
    report = run_tour(SMALL, tmp_path, seconds=250, told=lambda line: None)
    names = ["look", "propose", "accept", "undo", "refocus", "hold", "sweep", "runs"]
    assert [stage.name for stage in report.stages] == names
    assert report.defocus_before_um == pytest.approx(7.0, abs=0.1)
    assert abs(report.defocus_after_um) <= report.dof_um / 2
    assert report.focused
    look, propose, undo = (report.stage(name) for name in ("look", "propose", "undo"))
    assert look.facts["defocus_um"] == pytest.approx(look.defocus_after_um, abs=0.5)
    assert propose.defocus_before_um == propose.defocus_after_um
    assert undo.defocus_after_um == pytest.approx(report.defocus_before_um, abs=0.05)
    assert report.labelling["trusted"]
    assert len(report.screenshots) == len(names) + 1
    assert all((tmp_path / name).stat().st_size > 20_000 for name in report.screenshots)
    outcomes = [run.outcome for run in read_json(tmp_path / "runs.json")]
    assert outcomes == ["focused", "focused", "cancelled", "focused"]
    assert own_threads() == []


@pytest.mark.usefixtures("_installed_plugins", "mock_app_model")
def test_the_film_begins_out_of_focus_and_ends_in_focus(tmp_path: Path) -> None:
    film_refocus(SMALL, tmp_path / "refocus.gif", seconds=200)
    with Image.open(tmp_path / "refocus.gif") as film:
        assert film.n_frames >= 5
        assert film.width == 900
        first = detail(film)
        film.seek(film.n_frames - 1)
        assert detail(film) > 1.5 * first
    assert (tmp_path / "refocus.gif").stat().st_size < 3_000_000
    assert own_threads() == []
