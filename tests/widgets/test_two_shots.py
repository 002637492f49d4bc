"""Two shots in the Autofocus panel: what is shown, what moves and only then, and what lies in layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot

from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.models.library import USER_FOLDER_VARIABLE
from napari_autofocus.optics import Objective
from napari_autofocus.records import RefocusRecord
from napari_autofocus.widgets.autofocus import AutofocusPanel
from napari_autofocus.widgets.layers.difference import NAME as DIFFERENCE
from napari_autofocus.widgets.session import Connection, Session
from tiny_pairs import PAIR, tiny_pair_file
from truthful_model import TruthfulModel
from truthful_pair import TruthfulPair


@pytest.fixture
def panel(
    viewer: ViewerModel, session: Session, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AutofocusPanel:
    """A panel whose user has one model, of two shots."""
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("napari_autofocus.models.library.SHIPPED", tmp_path / "none")
    tiny_pair_file(tmp_path)
    made = AutofocusPanel(viewer)
    qtbot.addWidget(made)
    qtbot.waitUntil(lambda: session.focus.pair is not None and not session.analysis.busy, timeout=20_000)
    return made


@pytest.fixture
def rig(panel: AutofocusPanel, session: Session, make_rig: Callable[..., SimulatedRig]) -> SimulatedRig:
    """5.5 µm above focus, with a model of two shots that knows it."""
    made = make_rig()
    made.microscope.focus.move_to(7.0)
    objective = Objective.parse("20x/0.75")
    session.connect(Connection("rig", made.microscope, made.close, dof_um=1.0, objective=objective, rig=made))
    session.focus.use_model(TruthfulPair(made))
    return made


def ended(session: Session, qtbot: QtBot) -> None:
    assert session.is_running
    qtbot.waitUntil(lambda: not session.is_running, timeout=20_000)


def test_a_model_of_two_shots_is_in_the_list_and_says_what_it_takes(panel: AutofocusPanel, session: Session) -> None:
    assert session.focus.pair is not None
    assert session.focus.model is None
    assert panel.model.box.currentText() == PAIR
    assert panel.model.card_line.text().startswith("2 shots, Δ 2 µm")
    assert "Takes two shots, 2 µm apart" in panel.model.card_line.toolTip()
    fallbacks = panel.refocusing.options.fallback.box
    assert fallbacks.itemText(1) == f"two shots with {PAIR}"


def test_the_row_is_there_for_two_shots_only(panel: AutofocusPanel, rig: SimulatedRig, session: Session) -> None:
    assert not panel.two_shots.isHidden()
    assert panel.image.estimate_button.isHidden()  # beside a camera it would move by itself
    assert not panel.refocusing.buttons.propose.isEnabled()
    assert panel.refocusing.options.method_box.currentText() == "Two shots"
    assert "2 µm apart" in panel.refocusing.buttons.refocus.toolTip()
    session.focus.use_model(TruthfulModel(rig))
    assert panel.two_shots.isHidden()
    assert not panel.image.estimate_button.isHidden()
    assert panel.refocusing.options.method_box.currentText() == "One shot"


def test_the_button_says_what_will_move_and_the_drive_comes_back(
    panel: AutofocusPanel, rig: SimulatedRig, session: Session, qtbot: QtBot
) -> None:
    row, model = panel.two_shots, session.focus.pair
    row.distance_box.setValue(1.9)
    assert row.take_button.text() == "Move 1.9 µm, estimate"
    assert "1.9 µm apart" in row.take_button.toolTip()
    row.take_button.click()
    ended(session, qtbot)
    assert model.asked_um == pytest.approx([1.9], abs=0.01)
    assert rig.core.getPosition("Z") == pytest.approx(7.0, abs=0.05)
    assert "+5.5" in panel.readout.headline.text()
    assert "back where it was" in panel.message.text()
    assert session.focus.newest.first is not None


def test_the_distance_keeps_within_what_the_model_bears(panel: AutofocusPanel, rig: SimulatedRig) -> None:
    box = panel.two_shots.distance_box
    assert (box.value(), box.minimum(), box.maximum()) == pytest.approx((2.0, 1.8, 2.2))


def test_refocus_goes_by_two_shots(panel: AutofocusPanel, rig: SimulatedRig, session: Session, qtbot: QtBot) -> None:
    panel.refocusing.buttons.refocus.click()
    ended(session, qtbot)
    record = panel.record
    assert isinstance(record, RefocusRecord)
    assert (record.outcome, record.method) == ("focused", "two-shot")
    assert abs(rig.true_defocus_um()) < 0.3


def test_the_difference_is_shown_where_it_is_wished(
    panel: AutofocusPanel, rig: SimulatedRig, session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    panel.two_shots.take_button.click()
    ended(session, qtbot)
    assert DIFFERENCE not in viewer.layers
    panel.two_shots.difference_button.setChecked(True)
    layer = viewer.layers[DIFFERENCE]
    assert layer.visible
    assert layer.data.shape == session.focus.newest.seen.shape
    panel.two_shots.difference_button.setChecked(False)
    assert not layer.visible


def test_a_fallback_decides_where_one_shot_is_unsure(
    panel: AutofocusPanel, rig: SimulatedRig, session: Session, qtbot: QtBot
) -> None:
    from napari_autofocus.focus.estimate import FocusEstimate

    one = TruthfulModel(rig)
    one.answer = lambda shape, _: FocusEstimate("unsure", 2.0, 1.0, reasons=("Undecided.",))
    session.focus.use_model(one)
    session.focus.fallback = TruthfulPair(rig)
    panel.refocusing.buttons.refocus.click()
    ended(session, qtbot)
    assert (panel.record.outcome, panel.record.method) == ("focused", "one-shot, two-shot")


def test_choosing_a_fallback_opens_it(panel: AutofocusPanel, session: Session, qtbot: QtBot) -> None:
    box = panel.refocusing.options.fallback.box
    box.setCurrentIndex(1)
    box.activated.emit(1)
    qtbot.waitUntil(lambda: session.focus.fallback is not None, timeout=20_000)
    assert session.focus.fallback.name == PAIR
    box.setCurrentIndex(0)
    box.activated.emit(0)
    assert session.focus.fallback is None


def stack(z_um: list[float] | None) -> Image:
    data = np.random.default_rng(0).integers(0, 255, (5, 64, 64, 3), dtype=np.uint8)
    about = {} if z_um is None else {"z_um": z_um, "objective": "20x/0.75"}
    return Image(data, rgb=True, name="stack", metadata={"napari_autofocus": about})


def test_two_planes_of_a_stack_are_two_shots(
    panel: AutofocusPanel, session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    session.focus.use_model(model := TruthfulPair())
    layer = stack([0.0, 1.0, 2.0, 3.0, 4.0])
    viewer.add_layer(layer)
    viewer.dims.set_point(0, 3)
    panel.image.choose(layer)
    panel.estimator.estimate_now()
    qtbot.waitUntil(lambda: session.focus.newest is not None)
    assert model.asked_um[-1] == pytest.approx(2.0)
    assert (session.focus.newest.first.z_um, session.focus.newest.seen.z_um) == (1.0, 3.0)
    assert not panel.two_shots.first_box.isHidden()
    assert panel.two_shots.take_button.isHidden()


def test_two_layers_are_two_shots_a_stated_way_apart(
    panel: AutofocusPanel, session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    session.focus.use_model(model := TruthfulPair())
    first, second = (Image(np.full((64, 64, 3), grey, np.uint8), rgb=True, name=f"{grey}") for grey in (10, 20))
    viewer.add_layer(first)
    viewer.add_layer(second)
    panel.image.choose(second)
    panel.estimator.estimate_now()
    qtbot.waitUntil(lambda: "layer of the first shot" in panel.readout.advice.text())
    row = panel.two_shots
    row.distance_box.setValue(2.1)
    row.first_box.setCurrentIndex(row.first_box.findText("10"))
    row.first_box.activated.emit(row.first_box.currentIndex())
    panel.estimator.estimate_now()
    qtbot.waitUntil(lambda: session.focus.newest is not None)
    assert model.asked_um[-1] == pytest.approx(2.1)
    assert session.focus.newest.first.source == "10"
