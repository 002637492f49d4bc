"""The Acquire with autofocus panel: arms a core, shows what is found, and gives the core its engine back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from useq import AxesBasedAF, MDASequence

from mda_finders import scripted_finder
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.slide.focus_map import FocusPoint, fit_focus_map
from napari_autofocus.widgets.mda_focus import MdaFocusPanel
from napari_autofocus.widgets.session import Session
from napari_autofocus.workflows.mda import MdaFocusConfig, MdaFocusRecord

PLAN = MDASequence(stage_positions=[(0, 0, 1), (300, 0, 1)], z_plan={"range": 2, "step": 1})


@pytest.fixture
def panel(viewer: ViewerModel, connected: tuple[Session, SimulatedRig], qtbot: QtBot) -> Iterator[MdaFocusPanel]:
    made = MdaFocusPanel(viewer)
    qtbot.addWidget(made)
    yield made
    made.arming.let_go()


def choose(box: Any, data: object) -> None:
    box.setCurrentIndex(next(index for index in range(box.count()) if box.itemData(index) == data))


def run(panel: MdaFocusPanel, rig: SimulatedRig, qtbot: QtBot, plan: MDASequence = PLAN) -> MdaFocusRecord:
    """As the MDA widget of pymmcore-widgets does."""
    with qtbot.waitSignal(panel.arming.ended, timeout=20_000):
        rig.core.run_mda(plan)
    qtbot.waitUntil(lambda: not panel._session.is_running, timeout=20_000)
    assert panel.record is not None
    return panel.record


def test_an_armed_core_is_focused_and_the_table_fills(
    panel: MdaFocusPanel, connected: tuple[Session, SimulatedRig], qtbot: QtBot
) -> None:
    _, rig = connected
    before = rig.core.mda.engine
    choose(panel.form.finder_box, "sweep")
    choose(panel.form.occasion_box, ("p",))
    panel.form.range_box.setValue(4)
    panel.arm_button.click()
    assert panel.arming.is_armed
    assert "Armed" in panel.message.text()
    assert not panel.form.isEnabled()

    record = run(panel, rig, qtbot)

    assert record.events[0].outcome == "focused"
    assert panel.table.rowCount() == 2
    assert panel.table.item(0, 4).text() == "focused"
    assert "6 frames acquired" in panel.summary.text()
    panel.arm_button.click()
    assert rig.core.mda.engine is before
    assert panel.form.isEnabled()


def test_what_failed_says_what_was_done_instead(
    panel: MdaFocusPanel, connected: tuple[Session, SimulatedRig], qtbot: QtBot
) -> None:
    _, rig = connected
    panel.arming.arm(scripted_finder(lambda _: None), MdaFocusConfig(axes=("p",), on_failure="skip"), None)

    record = run(panel, rig, qtbot)

    assert record.missing == 6
    assert panel.table.item(1, 4).text() == "not found, left out"
    assert "No peak" in panel.table.item(1, 4).toolTip()
    assert panel.summary.tone == "warning"


def test_a_refused_acquisition_is_told_although_its_thread_swallows_the_error(
    panel: MdaFocusPanel, connected: tuple[Session, SimulatedRig], qtbot: QtBot
) -> None:
    _, rig = connected
    panel.arming.arm(scripted_finder(lambda _: 0.0), MdaFocusConfig(axes=("p",)), None)

    with qtbot.captureExceptions():
        record = _run_refused(panel, rig, qtbot)

    assert record.outcome == "failed"
    assert "outside the limits" in panel.summary.text()
    assert panel.summary.tone == "error"
    assert rig.z_stage.commands_um == []


def _run_refused(panel: MdaFocusPanel, rig: SimulatedRig, qtbot: QtBot) -> MdaFocusRecord:
    import threading

    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        return run(panel, rig, qtbot, MDASequence(stage_positions=[(0, 0, 900)]))
    finally:
        threading.excepthook = hook


def test_it_arms_only_with_a_microscope_and_something_that_focuses(panel: MdaFocusPanel, session: Session) -> None:
    assert not panel.arm_button.isEnabled()
    choose(panel.form.finder_box, "sweep")
    assert panel.arm_button.isEnabled()
    session.disconnect()
    assert not panel.arm_button.isEnabled()
    assert "Connect a microscope" in panel.message.text()


def test_the_session_is_held_while_it_acquires_and_stop_cancels(
    panel: MdaFocusPanel, connected: tuple[Session, SimulatedRig], qtbot: QtBot
) -> None:
    session, rig = connected
    panel.arming.arm(scripted_finder(lambda _: 0.0), MdaFocusConfig(axes=("p",)), None)
    endless = PLAN.replace(time_plan={"interval": 0.2, "loops": 1000})

    with qtbot.waitSignal(panel.arming.ended, timeout=20_000):
        rig.core.run_mda(endless)
        qtbot.waitUntil(lambda: session.is_running and panel.table.rowCount() > 0, timeout=20_000)
        assert not panel.arm_button.isEnabled()
        panel.cancel_button.click()

    assert panel.record is not None
    assert panel.record.outcome == "cancelled"
    qtbot.waitUntil(lambda: not session.is_running, timeout=20_000)


def test_closing_the_session_gives_the_engine_back(
    panel: MdaFocusPanel, connected: tuple[Session, SimulatedRig]
) -> None:
    session, rig = connected
    before = rig.core.mda.engine
    panel.arming.arm(scripted_finder(lambda _: 0.0), MdaFocusConfig(), None)

    session.close()

    assert rig.core.mda.engine is before


def test_a_focus_map_is_opened_and_fallen_back_on(
    panel: MdaFocusPanel, connected: tuple[Session, SimulatedRig], qtbot: QtBot, tmp_path: Path
) -> None:
    _, rig = connected
    points = [FocusPoint(x, y, 5.0 + x / 300) for x in (0.0, 300.0) for y in (-300.0, 0.0, 300.0)]
    (tmp_path / "map.json").write_text(fit_focus_map(points, surface="plane").to_json())
    choose(panel.form.finder_box, "sweep")
    choose(panel.form.policy_box, "map")
    panel.arm_button.click()
    assert "no focus map" in panel.message.text()
    assert not panel.arming.is_armed

    panel.form.use_map(tmp_path / "map.json")
    panel.arming.arm(scripted_finder(lambda _: None), MdaFocusConfig(axes=("p",), on_failure="map"), panel.form.height)
    record = run(panel, rig, qtbot)

    assert [event.used_um for event in record.events] == pytest.approx([5.0, 6.0], abs=0.01)
    assert panel.table.item(1, 4).text() == "not found, by the map"


def test_the_record_is_saved(
    panel: MdaFocusPanel, connected: tuple[Session, SimulatedRig], qtbot: QtBot, tmp_path: Path
) -> None:
    _, rig = connected
    panel.arming.arm(scripted_finder(lambda _: 0.0), MdaFocusConfig(axes=("p",)), None)
    record = run(panel, rig, qtbot)

    panel.save_record(tmp_path / "record.json")

    assert MdaFocusRecord.from_json((tmp_path / "record.json").read_text()) == record


def test_an_autofocus_plan_of_the_acquisition_goes_before_the_panels(
    panel: MdaFocusPanel, connected: tuple[Session, SimulatedRig], qtbot: QtBot
) -> None:
    _, rig = connected
    panel.arming.arm(scripted_finder(lambda _: 0.0), MdaFocusConfig(axes=("t", "p")), None)
    plan = PLAN.replace(autofocus_plan=AxesBasedAF(axes=("p",)), time_plan={"interval": 0, "loops": 2})

    record = run(panel, rig, qtbot, plan.replace(axis_order="ptz"))

    assert len(record.events) == 2
