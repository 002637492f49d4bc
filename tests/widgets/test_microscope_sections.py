"""Limits, direction, optics, places and slides of the Microscope panel, over the simulated rig."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_autofocus.microscope.clock import WallClock
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.widgets.microscope import MicroscopePanel
from napari_autofocus.widgets.session import Connection, Session

AtRest = Callable[[], None]


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> MicroscopePanel:
    made = MicroscopePanel(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def rig(panel: MicroscopePanel, connected: tuple[Session, SimulatedRig], at_rest: AtRest) -> SimulatedRig:
    at_rest()
    return connected[1]


# places and limits


def test_an_absolute_z_is_reached_however_far(panel: MicroscopePanel, rig: SimulatedRig, at_rest: AtRest) -> None:
    panel.drive.target_box.setValue(42.0)
    panel.drive.go_button.click()
    at_rest()
    assert rig.core.getPosition("Z") == pytest.approx(42.0, abs=0.05)
    assert panel.drive.bar.share == pytest.approx(0.92, abs=0.01)
    assert panel.drive.z_label.text() == "z 42.00 µm"


def test_a_z_beyond_the_limits_cannot_even_be_typed(panel: MicroscopePanel, rig: SimulatedRig) -> None:
    panel.drive.target_box.setValue(400.0)
    assert panel.drive.target_box.value() == 50.0


def test_limits_are_set_and_shown(panel: MicroscopePanel, rig: SimulatedRig, at_rest: AtRest) -> None:
    panel.drive.low_box.setValue(-12.0)
    panel.drive.high_box.setValue(8.0)
    panel.drive.limits_button.click()
    at_rest()
    assert rig.microscope.focus.limits_um == (-12.0, 8.0)
    assert (panel.drive.low_label.text(), panel.drive.high_label.text()) == ("−12", "8")


def test_limits_around_the_present_z(panel: MicroscopePanel, rig: SimulatedRig, at_rest: AtRest) -> None:
    rig.microscope.focus.move_to(5.0)
    panel.drive.around_box.setValue(20.0)
    panel.drive.here_button.click()
    at_rest()
    assert rig.microscope.focus.limits_um == pytest.approx((-15.0, 25.0), abs=0.02)


def test_limits_that_shut_the_drive_out_are_refused(panel: MicroscopePanel, rig: SimulatedRig, at_rest: AtRest) -> None:
    panel.drive.low_box.setValue(10.0)
    panel.drive.high_box.setValue(20.0)
    panel.drive.limits_button.click()
    at_rest()
    assert "do not hold the present position" in panel.message.text()
    assert rig.microscope.focus.limits_um == (-50.0, 50.0)


def test_the_bar_warns_near_a_limit(panel: MicroscopePanel, rig: SimulatedRig, at_rest: AtRest) -> None:
    assert not panel.drive.bar.is_near_a_limit
    panel.drive.target_box.setValue(49.0)
    panel.drive.go_button.click()
    at_rest()
    assert panel.drive.bar.is_near_a_limit


def test_a_place_of_the_slide_is_reached(panel: MicroscopePanel, rig: SimulatedRig, at_rest: AtRest) -> None:
    panel.stage.x_box.setValue(310.0)
    panel.stage.y_box.setValue(-45.5)
    panel.stage.go_button.click()
    at_rest()
    assert rig.microscope.xy_um() == pytest.approx((310.0, -45.5))
    assert panel.stage.xy_label.text() == "x 310.0, y −45.5 µm"


def test_halt_stops_a_drive_on_its_way(
    panel: MicroscopePanel, session: Session, make_rig: Callable[..., SimulatedRig], qtbot: QtBot, at_rest: AtRest
) -> None:
    rig = make_rig(clock=WallClock(), speed_um_s=4.0)
    session.connect(Connection("slow", rig.microscope, rig.close, rig=rig))
    at_rest()
    panel.drive.target_box.setValue(24.0)
    panel.drive.go_button.click()
    qtbot.waitUntil(lambda: rig.z_stage.get_position_um() > 0.4)
    panel.drive.halt_button.click()
    at_rest()
    assert "was halted" in panel.message.text()
    assert rig.z_stage.get_position_um() < 20.0


def test_page_keys_move_by_ten_steps(panel: MicroscopePanel, rig: SimulatedRig, qtbot: QtBot, at_rest: AtRest) -> None:
    qtbot.keyClick(panel.drive.pad, Qt.Key.Key_PageUp)
    at_rest()
    qtbot.keyClick(panel.drive.pad, Qt.Key.Key_Down)
    at_rest()
    assert rig.core.getPosition("Z") == pytest.approx(9.0, abs=0.05)


def test_what_is_folded_away_is_out_of_the_way_of_the_keyboard(panel: MicroscopePanel, rig: SimulatedRig) -> None:
    panel.show()
    assert not panel.drive.target_box.isVisible()
    panel.drive.fold.toggleButton().click()
    assert panel.drive.target_box.isVisible()
    assert panel.drive.fold.text() == "▾ Go to, limits, direction"
    panel.drive.fold.toggleButton().click()
    assert not panel.drive.target_box.isVisible()


# focus direction


def test_a_direction_that_the_core_knows_is_shown_and_cannot_be_overruled(
    panel: MicroscopePanel, session: Session, make_rig: Callable[..., SimulatedRig], at_rest: AtRest
) -> None:
    rig = make_rig(focus_direction=-1)
    session.connect(Connection("apart", rig.microscope, rig.close, rig=rig))
    at_rest()
    assert panel.drive.direction_box.currentData() == -1
    assert not panel.drive.direction_box.isEnabled()


def test_an_unknown_direction_is_stated_and_does_not_outlive_its_microscope(
    panel: MicroscopePanel, session: Session, make_rig: Callable[..., SimulatedRig], at_rest: AtRest
) -> None:
    for _ in range(2):
        rig = make_rig(tells_direction=False)
        session.connect(Connection("unknown", rig.microscope, rig.close, rig=rig))
        at_rest()
        assert panel.drive.direction_box.isEnabled()
        assert session.focus.focus_direction == panel.drive.direction_box.currentData() == 0
        panel.drive.direction_box.setCurrentIndex(2)
        panel.drive.direction_box.activated.emit(2)
        assert session.focus.focus_direction == -1


# optics


def test_the_objective_of_a_microscope_that_knows_it_is_shown(
    panel: MicroscopePanel, session: Session, make_rig: Callable[..., SimulatedRig], at_rest: AtRest
) -> None:
    rig, lens = make_rig(), Objective.parse("20x/0.75")
    session.connect(Connection("sim", rig.microscope, rig.close, lens.dof_um, lens, rig))
    at_rest()
    assert panel.optics.text() == "▸ Optics: 20x/0.75, pixel 0.325 µm"
    assert panel.optics.dof_label.text() == "depth of field 1 µm"
    assert not panel.optics.objective_box.isEnabled()
    assert session.focus.objective == lens


def test_an_objective_is_stated_by_hand_with_the_pixels_of_the_core(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session
) -> None:
    assert session.focus.objective is None
    _type(panel, "100x/1.4 oil")
    assert session.focus.objective.name == "100x/1.4 oil"
    assert session.focus.objective.pixel_size_um == pytest.approx(0.325)
    _type(panel, "unknown")
    assert session.focus.objective is None


def test_an_objective_that_makes_no_sense_is_a_message(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session
) -> None:
    _type(panel, "20x/0.75")
    _type(panel, "twenty")
    assert "Cannot read 'twenty' as an objective" in panel.message.text()
    assert panel.optics.objective_box.currentText() == session.focus.objective.name == "20x/0.75"


def test_a_pixel_size_that_the_core_does_not_know_is_stated(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, qtbot: QtBot
) -> None:
    rig.core.setPixelSizeUm("Objective", 0.0)
    panel.drive.here_button.click()
    qtbot.waitUntil(panel.optics.pixel_box.isEnabled)
    assert panel.optics.pixel_box.text() == "unknown"
    panel.optics.pixel_box.setValue(0.5)
    _type(panel, "20x/0.5")
    assert session.focus.objective.pixel_size_um == pytest.approx(0.5)


def test_a_turret_that_is_turned_finds_its_own_objective(
    panel: MicroscopePanel, rig: SimulatedRig, session: Session, at_rest: AtRest
) -> None:
    _type(panel, "20x/0.75")
    for pixel_um, expected in ((0.65, None), (0.325, "20x/0.75")):
        rig.core.setPixelSizeUm("Objective", pixel_um)
        panel.drive.here_button.click()
        at_rest()
        assert (session.focus.objective.name if session.focus.objective else None) == expected


def test_what_was_stated_for_one_microscope_is_unknown_of_another(
    panel: MicroscopePanel,
    rig: SimulatedRig,
    session: Session,
    make_rig: Callable[..., SimulatedRig],
    at_rest: AtRest,
) -> None:
    _type(panel, "20x/0.75")
    other = make_rig()
    session.connect(Connection("another", other.microscope, other.close))
    at_rest()
    assert session.focus.objective is None
    again = make_rig()
    session.connect(Connection("test rig", again.microscope, again.close))
    at_rest()
    assert session.focus.objective.name == "20x/0.75"


def _type(panel: MicroscopePanel, text: str) -> None:
    panel.optics.objective_box.setCurrentText(text)
    panel.optics.objective_box.lineEdit().editingFinished.emit()


# slides


@pytest.fixture
def sliding(
    panel: MicroscopePanel, session: Session, make_rig: Callable[..., SimulatedRig], at_rest: AtRest
) -> SimulatedRig:
    """A rig with a small slide of beads."""
    rig = make_rig(Scene.build("beads", "sparse", "10x/0.3", seed=2, shape=(64, 64)))
    session.connect(Connection("sim", rig.microscope, rig.close, rig=rig))
    at_rest()
    return rig


def test_the_slide_is_shown_with_its_settings(panel: MicroscopePanel, sliding: SimulatedRig) -> None:
    assert panel.slide.text() == "▸ Slide: Beads, sparse"
    assert panel.slide.form.slide().seed == 2
    assert not panel.slide.isHidden()


def test_a_microscope_without_slides_of_ours_offers_none(panel: MicroscopePanel, rig: SimulatedRig) -> None:
    assert panel.slide.isHidden()


def test_another_slide_is_loaded_and_shown_while_the_stages_stay(
    panel: MicroscopePanel, sliding: SimulatedRig, session: Session, viewer: ViewerModel, qtbot: QtBot, at_rest: AtRest
) -> None:
    sliding.microscope.focus.move_to(5.0)
    form = panel.slide.form
    form.stain_box.setCurrentIndex(form.stain_box.findData("he"))
    form.seed_box.setValue(11)
    panel.slide.load_button.click()
    assert not panel.slide.load_button.isEnabled()
    qtbot.waitUntil(lambda: session.view.frames_shown == 1, timeout=30_000)
    specimen = sliding.scene.specimen
    assert (specimen.stain, specimen.density, specimen.seed) == ("he", "sparse", 11)
    assert panel.slide.text() == "▸ Slide: H&&E tissue, sparse"
    assert panel.message.text() == ""
    assert sliding.core.getPosition("Z") == pytest.approx(5.0, abs=0.05)
    assert np.isfinite(sliding.true_defocus_um())
    assert panel.slide.load_button.isEnabled()


def test_a_slide_that_cannot_be_made_is_a_message(
    panel: MicroscopePanel, sliding: SimulatedRig, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sliding.scene
    slide = panel.slide.form.slide()
    monkeypatch.setattr(panel.slide.form, "slide", lambda: type(slide)("granite"))
    panel.slide.load_button.click()
    qtbot.waitUntil(lambda: panel.message.tone == "error")
    qtbot.waitUntil(panel.slide.load_button.isEnabled)
    assert sliding.scene is before
