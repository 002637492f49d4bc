from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox

from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.connecting import ConfigurationChoice, SimulatedChoice
from napari_autofocus.widgets.microscope import MicroscopePanel
from napari_autofocus.widgets.session import Connection, Session


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> MicroscopePanel:
    made = MicroscopePanel(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def rig(panel: MicroscopePanel, connected: tuple[Session, SimulatedRig], at_rest: Callable[[], None]) -> SimulatedRig:
    """What the panel is connected to."""
    at_rest()
    return connected[1]


def test_nothing_can_be_moved_before_a_microscope_is_connected(panel: MicroscopePanel) -> None:
    for part in (
        panel.camera.snap_button,
        panel.camera.live_button,
        panel.drive.pad,
        panel.stage.pad,
        panel.stage.field_button,
    ):
        assert not part.isEnabled()
    assert panel.message.text() == "Not connected."


def test_position_and_limits_are_shown(panel: MicroscopePanel, rig: SimulatedRig) -> None:
    assert panel.drive.z_label.text() == "z 0.00 µm"
    assert (panel.drive.low_label.text(), panel.drive.high_label.text()) == ("−50", "50")
    assert panel.drive.bar.share == pytest.approx(0.5)
    assert panel.stage.xy_label.text() == "x 0.0, y 0.0 µm"
    assert panel.camera.exposure_box.value() == 10.0


def test_z_read_out_follows_moves_made_by_others(panel: MicroscopePanel, rig: SimulatedRig, qtbot: QtBot) -> None:
    rig.core.setPosition("Z", -7.5)
    qtbot.waitUntil(lambda: panel.drive.z_label.text() == "z −7.50 µm")


def test_arrow_keys_and_buttons_move_the_drive_by_the_step(
    panel: MicroscopePanel, rig: SimulatedRig, qtbot: QtBot, at_rest: Callable[[], None]
) -> None:
    panel.drive.step_box.setValue(0.5)
    panel.drive.pad.buttons[3].click()
    qtbot.keyClick(panel.drive.pad, Qt.Key.Key_Up)
    at_rest()
    assert rig.core.getPosition("Z") == pytest.approx(5.5, abs=0.05)


def test_xy_steps_and_random_field_move_the_stage(
    panel: MicroscopePanel, rig: SimulatedRig, qtbot: QtBot, at_rest: Callable[[], None]
) -> None:
    panel.stage.step_box.setValue(40)
    panel.stage.pad.buttons[1].click()
    at_rest()
    assert rig.microscope.xy_um() == pytest.approx((40, 0))
    assert panel.stage.xy_label.text() == "x 40.0, y 0.0 µm"
    panel.stage.field_button.click()
    at_rest()
    assert max(map(abs, rig.microscope.xy_um())) > 40


def test_a_step_beyond_the_limits_is_refused_with_a_sentence(
    panel: MicroscopePanel, rig: SimulatedRig, at_rest: Callable[[], None]
) -> None:
    rig.microscope.focus.set_limits(-5, 5)
    panel.drive.pad.buttons[3].click()
    at_rest()
    assert "outside the limits" in panel.message.text()
    assert panel.message.tone == "error"
    assert rig.core.getPosition("Z") == pytest.approx(0.0, abs=0.05)


def test_moving_on_after_a_refused_step(panel: MicroscopePanel, rig: SimulatedRig, at_rest: Callable[[], None]) -> None:
    rig.microscope.focus.set_limits(-5, 5)
    panel.drive.pad.buttons[3].click()
    at_rest()
    panel.drive.pad.buttons[2].click()
    at_rest()
    assert rig.core.getPosition("Z") == pytest.approx(1.0, abs=0.05)
    assert panel.message.text() == ""


def test_snap_shows_a_frame(panel: MicroscopePanel, rig: SimulatedRig, viewer: ViewerModel, qtbot: QtBot) -> None:
    panel.camera.snap_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    assert viewer.layers["Camera"].data.shape == (64, 80, 3)


def test_exposure_reaches_the_camera(panel: MicroscopePanel, rig: SimulatedRig, at_rest: Callable[[], None]) -> None:
    panel.camera.exposure_box.setValue(25.0)
    at_rest()
    assert rig.core.getExposure() == 25.0


def test_live_button_starts_and_stops(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, qtbot: QtBot, at_rest: Callable[[], None]
) -> None:
    panel.camera.live_button.click()
    qtbot.waitUntil(lambda: session.view.frames_shown >= 2)
    assert panel.camera.live_button.text() == "Stop live"
    panel.camera.live_button.click()
    at_rest()
    assert panel.camera.live_button.text() == "Live"
    assert not rig.core.isSequenceRunning()


def test_an_unplugged_camera_is_a_message(
    panel: MicroscopePanel,
    session: Session,
    make_rig: Callable[..., SimulatedRig],
    qtbot: QtBot,
    at_rest: Callable[[], None],
) -> None:
    rig = make_rig(faults=[Fault("snap-timeout", at=1)])
    session.connect(Connection("rig", rig.microscope, rig.close))
    at_rest()
    panel.camera.snap_button.click()
    qtbot.waitUntil(lambda: panel.message.tone == "error")
    assert "camera took no frame" in panel.message.text()


def test_simulated_microscope_is_connected_by_its_button(
    panel: MicroscopePanel, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = SimulatedChoice(stain="beads", density="sparse", objective="10x/0.3", shape=(64, 64))
    monkeypatch.setattr(panel.form, "choice", lambda: chosen)
    panel.form.connect_button.click()
    qtbot.waitUntil(lambda: session.connection is not None, timeout=30_000)
    assert panel.form.summary.text() == "Simulated 10x/0.3"
    assert "Beads, sparse" in panel.slide.text()
    assert session.focus.objective.name == "10x/0.3"
    assert session.connection.dof_um == 10.0
    panel.form.connect_button.click()
    assert session.connection is None
    assert panel.form.connect_button.text() == "Connect"


def test_a_missing_configuration_is_a_message(panel: MicroscopePanel, tmp_path: Path, qtbot: QtBot) -> None:
    panel.connect_to(ConfigurationChoice(str(tmp_path / "absent.cfg")))
    qtbot.waitUntil(lambda: panel.message.tone == "error")
    assert "absent.cfg" in panel.message.text()
    qtbot.waitUntil(panel.form.connect_button.isEnabled)


def test_form_offers_what_the_simulation_knows(panel: MicroscopePanel) -> None:
    panel.form.slide_form.seed_box.setValue(3)
    panel.form.slide_form.tilt_box.setValue(2.5)
    expected = SimulatedChoice("he", "dense", "20x/0.75", tilt_um_per_mm=2.5, seed=3)
    assert panel.form.choice() == expected
    panel.form.source_box.setCurrentIndex(1)
    panel.form.path_edit.setText(" /tmp/scope.cfg ")
    assert panel.form.choice() == ConfigurationChoice("/tmp/scope.cfg")


def test_every_control_has_a_tooltip(panel: MicroscopePanel) -> None:
    kinds = (QAbstractButton, QAbstractSpinBox, QComboBox)
    controls = [control for kind in kinds for control in panel.findChildren(kind)]
    # Qt's own parts within a spin box or a list.
    ours = [control for control in controls if not control.objectName().startswith("qt_")]
    assert len(ours) > 30
    assert [control for control in ours if not control.toolTip()] == []
