"""The sparsity tour that takes itself, in a real window opened through the manifest."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from npe2 import PluginManager

from napari_autofocus.cli.demo import demo
from napari_autofocus.errors import InputError
from napari_autofocus.widgets.show.sparsity_demo import run_sparsity
from napari_autofocus.workflows.sparse.records import SLIDES, SparsitySettings

SMALL = SparsitySettings(shape=(256, 320), slides=(SLIDES[0], SLIDES[3]))


@pytest.fixture
def installed_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """napari's own fixtures hide every plugin; show the installed ones. They register their commands once for each
    application: ``mock_app_model`` goes with this, lest the next test meet them."""
    manager = PluginManager()
    manager.discover()
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))


@pytest.mark.gui
@pytest.mark.usefixtures("installed_plugins", "mock_app_model", "qtbot")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_tour_leaves_a_picture_of_every_field_the_figure_and_a_report(tmp_path: Path) -> None:
    lines: list[str] = []
    report = run_sparsity(SMALL, tmp_path, seconds=200, told=lines.append)

    assert [field["density"] for field in report["fields"]] == ["dense", "empty"]
    assert report["screenshots"] == ["1-dense.png", "2-empty.png"]
    assert report["figures"] == ["sparsity.png", "sparsity.pdf", "sparsity.svg"]
    assert all((tmp_path / name).stat().st_size > 20_000 for name in (*report["screenshots"], *report["figures"]))
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == json.loads(json.dumps(report))
    assert lines[1].startswith("Empty: Nothing to focus on.")
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-autofocus")] == []


def test_an_unknown_tour_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no tour 'city'; choose one of panels, sparsity"):
        demo(out=tmp_path, tour="city")


def test_the_sparsity_tour_is_not_filmed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leave --gif out"):
        demo(out=tmp_path, tour="sparsity", gif=tmp_path / "film.gif")
