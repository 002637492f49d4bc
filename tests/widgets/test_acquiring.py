from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_autofocus.errors import InputError
from napari_autofocus.io import find_stacks, open_stack
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.acquire.area import AREA_LAYER
from napari_autofocus.widgets.acquiring import AcquiringPanel
from napari_autofocus.widgets.session import Connection, Session
from napari_autofocus.workflows.acquire.book import AcquisitionBook

WAIT_MS = 60_000
AtRest = Callable[[], None]


@pytest.fixture
def panel(viewer: ViewerModel, connected: tuple[Session, SimulatedRig], qtbot: QtBot, tmp_path: Path) -> AcquiringPanel:
    """A panel that is to take two small stacks from a list of places."""
    made = AcquiringPanel(viewer)
    qtbot.addWidget(made)
    made.folder.choose(tmp_path / "stacks")
    made.stacks.range_box.setValue(2)
    made.stacks.step_box.setValue(0.5)
    made.places.kind_box.setCurrentIndex(made.places.kind_box.findData("list"))
    made.places.places = [(100.0, 0.0), (200.0, 0.0)]
    return made


@pytest.fixture
def idle(connected: tuple[Session, SimulatedRig], qtbot: QtBot) -> AtRest:
    """Wait for the end of a run."""
    session, _ = connected
    return lambda: qtbot.waitUntil(lambda: not session.is_running and not session.hardware.busy, timeout=WAIT_MS)


def test_stacks_are_taken_shown_and_listed(panel: AcquiringPanel, idle: AtRest, viewer: ViewerModel) -> None:
    shown: list[int] = []
    panel.work.stepped.connect(lambda step: shown.append(step.plane))
    panel.start_button.click()
    assert not panel.start_button.isEnabled()
    idle()
    assert panel.message.text() == "Done: 2 stacks. Slide and drive are back."
    assert len(find_stacks([panel.folder.folder])) == 2
    assert panel.fields.count() == 2
    assert "one clear peak" in panel.fields.item(0).text()
    assert not panel.fields.item(0).icon().isNull()
    assert panel.progress.format() == "2 of 2 stacks"
    assert "Camera" in viewer.layers
    assert max(shown) == panel.stacks.planes == 9


def test_stop_brings_everything_back_and_go_on_takes_the_rest(
    panel: AcquiringPanel, idle: AtRest, connected: tuple[Session, SimulatedRig]
) -> None:
    def stop(step: Any) -> None:
        if step.phase == "plane" and step.number == 1 and panel.stop_button.isEnabled():
            panel.stop_button.click()

    panel.work.stepped.connect(stop)
    panel.start_button.click()
    idle()
    assert panel.message.text().startswith("Stopped with 1 of 2 stacks; Go on takes the rest.")
    assert connected[1].microscope.xy_um() == (0.0, 0.0)
    assert connected[1].microscope.focus.position_um() == pytest.approx(0.0, abs=0.1)
    assert panel.start_button.text() == "Go on"
    assert not panel.places.isEnabled()
    panel.work.stepped.disconnect(stop)
    first = np.asarray(open_stack(panel.folder.folder / "field_0000.zarr").data)
    panel.start_button.click()
    idle()
    assert panel.message.text().startswith("Done: 2 stacks.")
    np.testing.assert_array_equal(np.asarray(open_stack(panel.folder.folder / "field_0000.zarr").data), first)
    assert not panel.start_button.isEnabled()


def test_what_comes_next_is_told_the_folder(panel: AcquiringPanel, session: Session, idle: AtRest) -> None:
    told: list[Path] = []
    session.dataset_chosen.connect(told.append)
    assert not panel.label_button.isEnabled()
    panel.start_button.click()
    idle()
    panel.label_button.click()
    panel.train_button.click()
    assert told == [panel.folder.folder] * 2


def test_a_failure_is_one_sentence_and_nothing_is_lost(
    panel: AcquiringPanel, idle: AtRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise InputError("The disk is full; make room.")

    monkeypatch.setattr("napari_autofocus.workflows.acquisition.ZarrStackWriter.keep", full)
    panel.start_button.click()
    idle()
    assert (panel.message.text(), panel.message.tone) == ("The disk is full; make room.", "error")
    assert panel.start_button.isEnabled()
    book = AcquisitionBook.read(panel.folder.folder)
    assert book is not None
    assert book.written == ()


def test_without_a_place_or_a_model_nothing_starts(panel: AcquiringPanel, session: Session) -> None:
    panel.places.clear_button.click()
    panel.start_button.click()
    assert "The list of positions is empty" in panel.message.text()
    panel.places.places = [(0.0, 0.0)]
    panel.stacks.focus_box.setCurrentIndex(panel.stacks.focus_box.findData("model"))
    panel.start_button.click()
    assert "No model is in use" in panel.message.text()
    assert not session.is_running


def test_this_position_is_added_from_the_newest_frame(
    panel: AcquiringPanel, session: Session, at_rest: AtRest, qtbot: QtBot
) -> None:
    panel.places.clear_button.click()
    session.ask(lambda microscope: microscope.move_xy_to(150.0, -40.0))
    session.snap()
    at_rest()
    qtbot.waitUntil(lambda: session.view.frames_shown == 1)
    panel.places.add_button.click()
    assert panel.places.places == [(150.0, -40.0)]
    assert "150, −40" in panel.places.list_label.text()
    assert panel.estimate.text().startswith("About ")


def test_a_drawn_area_lies_where_the_camera_image_is_and_counts_in_stage_um(
    panel: AcquiringPanel, session: Session, viewer: ViewerModel, at_rest: AtRest, qtbot: QtBot
) -> None:
    session.ask(lambda microscope: microscope.move_xy_to(1000.0, 500.0))
    session.snap()
    at_rest()
    qtbot.waitUntil(lambda: session.view.frames_shown == 1)
    panel.places.kind_box.setCurrentIndex(panel.places.kind_box.findData("drawn"))
    panel.places.side_box.setValue(200)
    panel.places.draw_button.click()
    layer = viewer.layers[AREA_LAYER]
    middle = layer.data_to_world((500.0, 1000.0))  # y, x of the stage
    assert middle == pytest.approx((64 * 0.325 / 2, 80 * 0.325 / 2))
    drawn = panel.places.where()((0.0, 0.0))
    assert np.abs(np.array(drawn.places) - (1000.0, 500.0)).max() <= 100
    panel.places.area.close()
    assert AREA_LAYER not in viewer.layers


def test_a_folder_with_stacks_of_its_own_is_gone_on_with(panel: AcquiringPanel, idle: AtRest, tmp_path: Path) -> None:
    panel.start_button.click()
    idle()
    panel.folder.choose(tmp_path / "other")
    assert panel.places.isEnabled()
    assert panel.fields.count() == 0
    panel.folder.choose(tmp_path / "stacks")
    assert panel.message.text() == "This folder holds all of its 2 stacks; choose another folder for more."
    assert panel.fields.count() == 2


def test_a_drive_that_does_not_tell_its_direction_is_warned_of(
    viewer: ViewerModel, session: Session, make_rig: Callable[..., SimulatedRig], qtbot: QtBot
) -> None:
    rig = make_rig(tells_direction=False)
    session.connect(Connection("silent", rig.microscope, rig.close, rig=rig))
    panel = AcquiringPanel(viewer)
    qtbot.addWidget(panel)
    assert "Nobody has said which way this drive focuses" in panel.estimate.text()
    session.focus.state_direction(-1)
    assert "Nobody" not in panel.estimate.text()


def test_every_run_draws_other_places(panel: AcquiringPanel) -> None:
    panel.places.kind_box.setCurrentIndex(panel.places.kind_box.findData("random"))
    first, second = (panel.places.where()((0.0, 0.0)).places for _ in range(2))
    assert first != second


def test_without_a_microscope_it_says_so(viewer: ViewerModel, session: Session, qtbot: QtBot) -> None:
    panel = AcquiringPanel(viewer)
    qtbot.addWidget(panel)
    assert "Connect a microscope" in panel.estimate.text()
    assert not panel.start_button.isEnabled()
