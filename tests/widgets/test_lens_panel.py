"""The Tunable lens panel: it says what will move, measures, keeps a curve, and hands the focus to the lens and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

import napari_autofocus.widgets.lens_calibrating as panel_module
from made_lenses import made_curve
from napari_autofocus.focus.lens_curve import LensCurve
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.lens_calibrating import LensPanel
from napari_autofocus.widgets.microscope import MicroscopePanel
from napari_autofocus.widgets.session import Connection, Session

Ready = tuple[LensPanel, Session, SimulatedRig]


@pytest.fixture
def panel(viewer: ViewerModel, session: Session, qtbot: QtBot) -> LensPanel:
    made = LensPanel(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def ready(
    panel: LensPanel, connected: tuple[Session, SimulatedRig], at_rest: Callable[[], None], qtbot: QtBot
) -> Ready:
    """On a connected microscope, with few values to measure."""
    session, rig = connected
    qtbot.waitUntil(lambda: panel.form.chosen is not None)
    at_rest()
    for box, value in ((panel.form.low_box, -60), (panel.form.high_box, 60), (panel.form.step_box, 40)):
        box.setValue(value)
    return panel, session, rig


@pytest.fixture
def curve_file(tmp_path: Path) -> Path:
    made_curve().save(tmp_path / "lens.json")
    return tmp_path / "lens.json"


def current_ma(rig: SimulatedRig) -> float:
    return float(rig.core.getProperty("Lens", "Current-mA"))


def test_without_a_microscope_it_says_what_to_do(panel: LensPanel) -> None:
    assert "Connect a microscope" in panel.plan.text()
    for part in (panel.start_button, panel.stop_button, panel.keeping.save_button, panel.keeping.use_button):
        assert not part.isEnabled()


def test_it_finds_the_lens_and_says_what_will_move(ready: Ready) -> None:
    panel = ready[0]
    assert panel.form.property_box.currentText() == "Lens: Current-mA"
    assert "Lens goes from −60 mA to 60 mA in 4 values and back; the stage Z moves between −50.00" in panel.plan.text()
    assert panel.start_button.isEnabled()


def test_a_microscope_without_a_lens_is_told(
    panel: LensPanel, connected: tuple[Session, SimulatedRig], monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    session, _ = connected
    monkeypatch.setattr(panel_module, "lens_properties", lambda core: [])
    session.connection_changed.emit(session.connection)
    qtbot.waitUntil(lambda: "no device with a number" in panel.plan.text())
    assert not panel.start_button.isEnabled()


def test_values_that_make_no_sense_are_a_sentence(ready: Ready) -> None:
    panel = ready[0]
    panel.form.step_box.setValue(0)
    assert "step of the lens must be a positive number" in panel.plan.text()
    assert not panel.start_button.isEnabled()


def test_a_calibration_grows_in_the_plot_and_can_be_kept(ready: Ready, qtbot: QtBot, tmp_path: Path) -> None:
    panel, session, rig = ready
    panel.start_button.click()
    assert session.is_running
    assert panel.stop_button.isEnabled()
    qtbot.waitUntil(lambda: not session.is_running, timeout=120_000)
    assert panel.message.tone == "good", panel.message.text()
    assert len(panel.plot.points) == 4
    assert panel.plot.curve is panel.curve
    assert current_ma(rig) == 0.0
    assert rig.microscope.focus.position_um() == pytest.approx(0.0)
    panel.keeping.save(tmp_path / "lens.json")
    assert json.loads((tmp_path / "lens.json").read_text())["device"] == "Lens"
    panel.keeping.save(tmp_path / "none" / "lens.json")
    assert panel.message.tone == "error"


def test_stop_puts_lens_and_stage_back(ready: Ready, qtbot: QtBot) -> None:
    panel, session, rig = ready
    panel.start_button.click()
    qtbot.waitUntil(lambda: "stage looks at" in panel.message.text(), timeout=60_000)
    panel.stop_button.click()
    qtbot.waitUntil(lambda: not session.is_running, timeout=60_000)
    assert "Stopped" in panel.message.text()
    assert panel.curve is None
    assert current_ma(rig) == 0.0
    assert rig.microscope.focus.position_um() == pytest.approx(0.0)
    assert panel.start_button.isEnabled()


def test_the_lens_focuses_in_every_panel_and_hands_back(
    ready: Ready, viewer: ViewerModel, curve_file: Path, qtbot: QtBot, at_rest: Callable[[], None]
) -> None:
    panel, _, rig = ready
    other = MicroscopePanel(viewer)
    qtbot.addWidget(other)
    panel.keeping.load(curve_file)
    assert "Reaches from −9.6" in panel.message.text()
    panel.keeping.use_button.click()
    qtbot.waitUntil(lambda: rig.microscope.focus.kind == "lens" and panel.keeping.use_button.isEnabled())
    at_rest()
    assert "The lens focuses" in panel.keeping.state.text()
    assert not panel.start_button.isEnabled()
    rig.microscope.focus.move_to(5.0)
    qtbot.waitUntil(lambda: other.drive.z_label.text() == "lens 5.00 µm")
    assert rig.core.getPosition("Z") == 0.0
    panel.keeping.use_button.click()
    qtbot.waitUntil(lambda: rig.microscope.focus.kind == "z" and panel.start_button.isEnabled())
    at_rest()
    qtbot.waitUntil(lambda: other.drive.z_label.text().startswith("z "))
    assert panel.keeping.state.text() == "The stage Z focuses."


def test_a_curve_of_another_lens_is_told_and_changes_nothing(ready: Ready, tmp_path: Path, qtbot: QtBot) -> None:
    panel, _, rig = ready
    curve = made_curve()
    LensCurve(replace(curve.facts, device="ETL"), curve.points, curve.fitted_um).save(tmp_path / "etl.json")
    panel.keeping.load(tmp_path / "etl.json")
    panel.keeping.use_button.click()
    qtbot.waitUntil(lambda: "no device 'ETL'" in panel.message.text())
    assert rig.microscope.focus.kind == "z"
    assert not panel.keeping.use_button.isChecked()
    assert panel.keeping.use_button.isEnabled()


def test_a_file_that_is_no_curve_is_told(ready: Ready, tmp_path: Path) -> None:
    (tmp_path / "lens.json").write_text("{}")
    ready[0].keeping.load(tmp_path / "lens.json")
    assert "not the curve of a tunable lens" in ready[0].message.text()
    assert not ready[0].keeping.use_button.isEnabled()


def test_without_an_objective_it_asks_for_one(
    panel: LensPanel, session: Session, make_rig: Callable[..., SimulatedRig], at_rest: Callable[[], None], qtbot: QtBot
) -> None:
    rig = make_rig()
    session.connect(Connection("rig", rig.microscope, rig.close))
    qtbot.waitUntil(lambda: panel.form.chosen is not None)
    at_rest()
    assert "State the objective" in panel.plan.text()
    assert not panel.start_button.isEnabled()


def test_what_a_microscope_offers_goes_with_it(ready: Ready, qtbot: QtBot) -> None:
    panel, session, _ = ready
    session.disconnect()
    qtbot.waitUntil(lambda: panel.form.chosen is None)
    assert "Connect a microscope" in panel.plan.text()
    assert panel.keeping.state.text() == ""


def test_no_progress_is_lost_on_a_change_of_theme(ready: Ready, viewer: ViewerModel) -> None:
    panel = ready[0]
    panel.plot.show_points([(0.0, 0.0), (10.0, 1.0)])
    viewer.theme = "light"
    assert panel.plot.points == [(0.0, 0.0), (10.0, 1.0)]
