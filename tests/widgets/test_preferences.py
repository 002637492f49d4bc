"""What is set on napari's Preferences page reaches the panels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from napari import settings
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QWidget

from made_records import refocus_record
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.widgets import choices, preferences
from napari_autofocus.widgets.choices import RunningChoice
from napari_autofocus.widgets.estimate.estimating import LiveEstimator
from napari_autofocus.widgets.estimate.image_choice import ImageChoice
from napari_autofocus.widgets.microscope import MicroscopePanel
from napari_autofocus.widgets.preferences import PLUGIN, Preferences
from napari_autofocus.widgets.session import Connection, Session
from napari_autofocus.widgets.virtual.model import VirtualModelChoice
from napari_autofocus.workflows.run_log import read_json
from rigs import RigMaker


def page(**stated: Any) -> SimpleNamespace:
    wanted = vars(Preferences()) | stated
    microscope = ("objective", "pixel_nm", "travel_um", "largest_step_um")
    return SimpleNamespace(
        microscope=SimpleNamespace(**{name: wanted[name] for name in microscope}),
        focus=SimpleNamespace(**{name: value for name, value in wanted.items() if name not in microscope}),
    )


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda **stated: monkeypatch.setattr(preferences, "_page", lambda: page(**stated))


def test_napari_offers_the_settings_that_are_read(state: Any) -> None:
    if not hasattr(settings, "get_plugin_settings"):
        pytest.skip("this napari keeps no settings of plugins; 0.9 does")
    kept = settings.get_plugin_settings(PLUGIN)
    assert vars(page().microscope) == kept.microscope.model_dump()
    assert vars(page().focus) == kept.focus.model_dump()


def test_a_usual_objective_serves_where_nobody_names_another(state: Any, viewer: ViewerModel) -> None:
    state(objective="20x/0.75", pixel_nm=345.0)
    session = Session.of(viewer)
    assert session.focus.objective == Objective.parse("20x/0.75", pixel_size_um=0.345)
    session.close()


@pytest.fixture
def twenty(state: Any) -> None:
    state(objective="20x/0.75")


@pytest.fixture
def panels(twenty: None, session: Session, qtbot: QtBot) -> dict[str, QWidget]:
    """Those in which an objective is chosen."""
    made = {
        "image": ImageChoice(session, LiveEstimator(session), "dark"),
        "microscope": MicroscopePanel(session.viewer),
        "virtual": VirtualModelChoice(session, "dark"),
    }
    for panel in made.values():
        qtbot.addWidget(panel)
    return made


@pytest.mark.parametrize("where", ["image", "microscope", "virtual"])
@pytest.mark.parametrize("text", ["unknown", "10x/0.3"])
def test_what_is_chosen_in_a_panel_wins_over_the_preferences(
    panels: dict[str, QWidget],
    session: Session,
    make_rig: RigMaker,
    at_rest: Callable[[], None],
    where: str,
    text: str,
) -> None:
    """Also when the microscope is connected afterwards, or again."""
    boxes = {name: getattr(panel, "optics", panel).objective_box for name, panel in panels.items()}
    assert {box.currentText() for box in boxes.values()} == {"20x/0.75"}
    boxes[where].lineEdit().setText(text)
    boxes[where].lineEdit().editingFinished.emit()
    for _ in range(2):
        rig = make_rig()
        session.connect(Connection("unnamed", rig.microscope, rig.close))
        at_rest()
        assert {box.currentText() for box in boxes.values()} == {text}


@pytest.mark.parametrize("stated", [{"objective": "a good one"}, {"runs_folder": "/nowhere/at/all"}])
def test_what_makes_no_sense_is_a_warning_and_nothing_else(
    state: Any, viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch, stated: dict[str, Any]
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(preferences, "show_warning", warned.append)
    state(**stated)
    session = Session.of(viewer)
    assert (session.focus.objective, session.runs.path) == (None, None)
    assert "See Preferences" in warned[0]
    session.close()


def test_runs_are_written_down_as_they_end(state: Any, viewer: ViewerModel, tmp_path: Path) -> None:
    state(runs_folder=str(tmp_path))
    session = Session.of(viewer)
    record = refocus_record()
    session.runs.add(record)
    assert [entry.record for entry in read_json(tmp_path / "runs.jsonl")] == [record]
    session.close()


def test_a_micro_manager_drive_keeps_to_the_travel_and_the_step_that_were_set(state: Any, rig: SimulatedRig) -> None:
    state(travel_um=12.0, largest_step_um=3.0)
    here_um = rig.core.getPosition("Z")
    found = RunningChoice(rig.core).connect().microscope.focus
    assert found.largest_step_um == 3.0
    assert found.limits_um == pytest.approx((here_um - 12, here_um + 12))


def test_travel_never_reaches_beyond_the_drive_s_own(state: Any, rig: SimulatedRig) -> None:
    state(travel_um=10_000.0)
    found = RunningChoice(rig.core).connect().microscope.focus
    low_um, high_um = found.travel_um
    assert low_um <= found.limits_um[0] < found.limits_um[1] <= high_um
    assert Preferences().travel_um == choices.DEFAULT_RANGE_UM
