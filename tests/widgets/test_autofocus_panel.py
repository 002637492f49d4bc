from __future__ import annotations

from collections.abc import Callable

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.autofocus import AutofocusPanel
from napari_autofocus.widgets.session import Connection, Session


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> AutofocusPanel:
    made = AutofocusPanel(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def rig(panel: AutofocusPanel, connected: tuple[Session, SimulatedRig]) -> SimulatedRig:
    """Stands at z = 7 µm; best focus is at 1.5 µm."""
    connected[1].microscope.focus.move_to(7.0)
    return connected[1]


@pytest.fixture
def swept(panel: AutofocusPanel, session: Session, rig: SimulatedRig, qtbot: QtBot) -> AutofocusPanel:
    """The panel after one sweep."""
    panel.sweep_button.click()
    qtbot.waitUntil(lambda: panel.record is not None and not session.is_running, timeout=20_000)
    return panel


def test_without_a_microscope_it_says_what_to_do(panel: AutofocusPanel) -> None:
    assert not panel.sweep_button.isEnabled()
    assert "Connect a microscope" in panel.message.text()


def test_step_is_the_depth_of_field_at_first(
    panel: AutofocusPanel, session: Session, make_rig: Callable[..., SimulatedRig]
) -> None:
    rig = make_rig()
    session.connect(Connection("rig", rig.microscope, rig.close, dof_um=2.5))
    assert panel.step_box.value() == 2.5


def test_sweep_focuses_and_says_so(swept: AutofocusPanel, rig: SimulatedRig) -> None:
    assert swept.record.outcome == "focused"
    assert abs(rig.true_defocus_um()) < 0.5
    assert swept.message.text().startswith("Moved −5.")
    assert swept.message.tone == "good"
    assert swept.plot.peak_um == pytest.approx(swept.record.best_z_um)


def test_curve_grows_while_sweeping_and_every_frame_is_shown(
    panel: AutofocusPanel, session: Session, rig: SimulatedRig, qtbot: QtBot
) -> None:
    sizes: list[int] = []
    session.view.shown.connect(lambda frame: sizes.append(len(panel.plot.z_um)))
    panel.sweep_button.click()
    qtbot.waitUntil(lambda: panel.record is not None and not session.is_running, timeout=20_000)
    assert sizes == list(range(panel.record.frames))
    assert panel.plot.z_um == sorted(point.z_um for point in panel.record.curve)


def test_undo_goes_back_once(
    swept: AutofocusPanel, rig: SimulatedRig, qtbot: QtBot, at_rest: Callable[[], None]
) -> None:
    swept.undo_button.click()
    at_rest()
    assert rig.core.getPosition("Z") == pytest.approx(7.0, abs=0.05)
    assert swept.message.text() == "Undone: the drive is back at 7.00 µm."
    assert not swept.undo_button.isEnabled()


def test_stop_goes_back_to_the_start(panel: AutofocusPanel, session: Session, rig: SimulatedRig, qtbot: QtBot) -> None:
    panel.method_box.setCurrentIndex(panel.method_box.findData("uniform"))
    panel.step_box.setValue(0.05)
    panel.sweep_button.click()
    qtbot.waitUntil(lambda: len(panel.plot.z_um) > 4)
    panel.stop_button.click()
    qtbot.waitUntil(lambda: panel.record is not None and not session.is_running)
    assert panel.record.outcome in ("cancelled", "failed")  # failed: the drive was halted on its way
    assert panel.record.frames < 400
    assert panel.message.text().startswith("Stopped: the drive stands at 7.0")
    assert rig.core.getPosition("Z") == pytest.approx(7.0, abs=0.05)
    assert panel.sweep_button.isEnabled()


def test_live_mode_is_resumed_after_a_sweep(
    panel: AutofocusPanel, session: Session, rig: SimulatedRig, qtbot: QtBot
) -> None:
    session.set_live(True)
    qtbot.waitUntil(lambda: session.view.frames_shown >= 1)
    panel.sweep_button.click()
    qtbot.waitUntil(lambda: panel.record is not None and not session.is_running, timeout=20_000)
    shown = session.view.frames_shown
    qtbot.waitUntil(lambda: session.view.frames_shown > shown)
    assert rig.core.isSequenceRunning()
    assert panel.record.outcome == "focused"


def test_settings_that_make_no_sense_are_a_message(panel: AutofocusPanel, session: Session, rig: SimulatedRig) -> None:
    panel.range_box.setValue(0.5)
    panel.step_box.setValue(5.0)
    panel.sweep_button.click()
    assert "does not fit into a range" in panel.message.text()
    assert not session.is_running


def test_a_camera_that_fails_is_told_and_the_drive_is_back(
    panel: AutofocusPanel, session: Session, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    rig = make_rig(faults=[Fault("snap-timeout", at=6)])
    session.connect(Connection("rig", rig.microscope, rig.close, dof_um=1.0))
    panel.sweep_button.click()
    qtbot.waitUntil(lambda: panel.record is not None and not session.is_running)
    assert panel.record.outcome == "failed"
    assert panel.message.tone == "error"
    assert "camera took no frame" in panel.reasons.text()
    assert rig.core.getPosition("Z") == pytest.approx(0.0, abs=0.05)


def test_every_control_has_a_tooltip(panel: AutofocusPanel) -> None:
    controls = [panel.method_box, panel.measure_box, panel.range_box, panel.step_box, panel.sweep_button]
    controls += [panel.stop_button, panel.undo_button, panel.plot]
    assert [control for control in controls if not control.toolTip()] == []
