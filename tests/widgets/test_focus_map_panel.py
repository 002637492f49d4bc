"""The Focus map panel over the simulated microscope, with a model that tells the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image
from pytestqt.qtbot import QtBot

from made_estimates import empty_estimate, made_estimate
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.slide.focus_map import FocusMap, FocusPoint
from napari_autofocus.widgets.focus_map import FocusMapPanel
from napari_autofocus.widgets.map.layers import PLAN, POINTS, SURFACE
from napari_autofocus.widgets.session import Connection, Session
from rigs import RigMaker, TextureScene
from truthful_model import TruthfulModel

WAIT_MS = 60_000
AtRest = Callable[[], None]


class TiltedScene(TextureScene):
    """The texture, in focus at 2 µm more for each mm of x."""

    def best_focus_um(self, x_um: float, y_um: float) -> float:
        return 1.5 + 0.002 * x_um

    def snap(self, x_um: float, y_um: float, axial_um: float, **others: Any) -> Any:
        return super().snap(x_um, y_um, axial_um - self.best_focus_um(x_um, y_um) + self.best_um, **others)


@pytest.fixture(params=[1, -1], ids=["together", "apart"])
def rig(request: pytest.FixtureRequest, make_rig: RigMaker) -> SimulatedRig:
    return make_rig(TiltedScene(), focus_direction=request.param)


@pytest.fixture
def model(rig: SimulatedRig) -> TruthfulModel:
    return TruthfulModel(rig)


@pytest.fixture
def panel(
    session: Session, rig: SimulatedRig, model: TruthfulModel, viewer: ViewerModel, qtbot: QtBot
) -> FocusMapPanel:
    """A panel over a connected microscope and a model, with nine points planned."""
    objective = Objective.parse("20x/0.75").with_pixel_size(rig.scene.pixel_size_um)
    session.connect(Connection("rig", rig.microscope, rig.microscope.close, dof_um=1.0, objective=objective, rig=rig))
    session.focus.use_model(model)  # type: ignore[arg-type]
    made = FocusMapPanel(viewer)
    qtbot.addWidget(made)
    made.plan.area.put_square((0.0, 0.0), 1600.0)
    made.plan.kind_box.setCurrentIndex(made.plan.kind_box.findData("grid"))
    made.plan.columns_box.setValue(3)
    made.plan.rows_box.setValue(3)
    return made


@pytest.fixture
def idle(session: Session, qtbot: QtBot) -> AtRest:
    return lambda: qtbot.waitUntil(lambda: not session.is_running and not session.hardware.busy, timeout=WAIT_MS)


def surveyed(panel: FocusMapPanel, idle: AtRest, qtbot: QtBot) -> FocusMap:
    panel.survey.start_button.click()
    idle()
    qtbot.waitUntil(lambda: panel.book.map is not None and panel.book.map.points == panel.book.points, timeout=WAIT_MS)
    assert panel.book.map is not None
    return panel.book.map


def test_it_says_what_will_move_and_where_before_it_does(panel: FocusMapPanel, viewer: ViewerModel) -> None:
    assert "x −800 to 800, y −800 to 800 µm" in panel.survey.permission.text()
    assert "focus drive between −50 and 50 µm" in panel.survey.permission.text()
    assert panel.plan.line.text().startswith("9 points, about")
    assert len(viewer.layers[PLAN].data) == 9


def test_a_survey_maps_the_tilt_and_brings_everything_back(
    panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, rig: SimulatedRig, viewer: ViewerModel
) -> None:
    found = surveyed(panel, idle, qtbot)
    direction = rig.microscope.focus.focus_direction
    for point in found.points:
        assert point.z_um == pytest.approx(direction * rig.scene.best_focus_um(point.x_um, point.y_um), abs=0.2)
    assert found.tilt_um_per_mm[0] == pytest.approx(2.0 * direction, abs=0.2)
    assert rig.microscope.xy_um() == (0.0, 0.0)
    assert rig.microscope.focus.position_um() == pytest.approx(0.0, abs=0.2)
    assert panel.survey.message.text().startswith("Surveyed: 9 found;")
    assert len(viewer.layers[POINTS].data) == 9
    assert SURFACE in viewer.layers
    assert not viewer.layers["Camera"].visible
    assert panel.judge.table.rows.rowCount() == 9


def test_stop_keeps_the_points_and_go_on_finds_the_rest(
    panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, rig: SimulatedRig
) -> None:
    def stop(step: Any) -> None:
        if step.point is not None and step.number == 3:
            panel.survey.stop_button.click()

    panel.work.stepped.connect(stop)
    panel.survey.start_button.click()
    idle()
    panel.work.stepped.disconnect(stop)
    assert panel.survey.message.text().startswith("Stopped:")
    assert 4 <= len(panel.book.points) < 9
    assert rig.microscope.xy_um() == (0.0, 0.0)
    assert panel.survey.start_button.text().startswith("Go on (")
    surveyed(panel, idle, qtbot)
    assert len(panel.book.points) == 9
    assert panel.survey.start_button.text() == "Start survey"


def test_an_empty_place_is_hollow_and_told(
    panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, rig: SimulatedRig, model: TruthfulModel, viewer: ViewerModel
) -> None:
    def answer(shape: tuple[int, int], defocus_um: float) -> FocusEstimate:
        bare = rig.microscope.xy_um()[0] > 500
        return empty_estimate(shape) if bare else made_estimate(shape, defocus_um)

    model.answer = answer
    surveyed(panel, idle, qtbot)
    empty = [index for index, point in enumerate(panel.book.points) if point.outcome == "empty"]
    assert len(empty) == 3
    assert viewer.layers[POINTS].face_color[empty[0], 3] == 0
    assert "3 empty" in panel.survey.message.text()


def test_row_and_point_are_selected_together(
    panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, viewer: ViewerModel
) -> None:
    surveyed(panel, idle, qtbot)
    panel.judge.choose(4)
    assert set(viewer.layers[POINTS].selected_data) == {4}
    panel.sight.picked.emit(7)
    assert panel.judge.table.chosen == 7
    assert set(viewer.layers[POINTS].selected_data) == {7}


def test_one_point_is_surveyed_again(panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, rig: SimulatedRig) -> None:
    surveyed(panel, idle, qtbot)
    truth = panel.book.points[4].z_um
    panel.judge.choose(4)
    panel.judge.z_box.setValue(7.7)
    panel.judge.set_button.click()
    assert panel.book.points[4].z_um == 7.7
    panel.judge.again_button.click()
    idle()
    assert panel.book.points[4].z_um == pytest.approx(truth, abs=0.2)
    assert panel.book.points[4].outcome == "found"
    panel.judge.undo_button.click()
    assert panel.book.points[4].z_um == 7.7
    assert len(panel.book.points) == 9
    assert rig.microscope.xy_um() == (0.0, 0.0)


def test_the_way_to_a_point_ends_in_focus(panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, rig: SimulatedRig) -> None:
    surveyed(panel, idle, qtbot)
    panel.judge.choose(2)
    panel.judge.go_button.click()
    idle()
    place = panel.book.points[2]
    assert rig.microscope.xy_um() == (place.x_um, place.y_um)
    assert abs(rig.true_defocus_um()) < 0.3
    assert panel.survey.message.text().startswith("At point 3:")


def test_the_drive_follows_the_map_only_while_it_is_switched_on(
    panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, rig: SimulatedRig, session: Session
) -> None:
    surveyed(panel, idle, qtbot)
    follow = panel.use.follow
    session.ask(lambda microscope: microscope.move_xy_to(600.0, 0.0))
    idle()
    assert rig.microscope.focus.position_um() == pytest.approx(0.0, abs=0.2)
    follow.follow_button.click()
    qtbot.waitUntil(lambda: abs(rig.true_defocus_um()) < 0.3, timeout=WAIT_MS)
    session.ask(lambda microscope: microscope.move_xy_to(-600.0, 0.0))
    qtbot.waitUntil(lambda: rig.microscope.xy_um()[0] < 0 and abs(rig.true_defocus_um()) < 0.3, timeout=WAIT_MS)
    session.ask(lambda microscope: microscope.move_xy_to(5000.0, 0.0))
    qtbot.waitUntil(lambda: not follow.is_following, timeout=WAIT_MS)
    assert "outside the focus map" in follow.message.text()
    assert follow.follow_button.text() == "Follow the map while I move"


def test_following_ends_with_the_microscope(panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, session: Session) -> None:
    surveyed(panel, idle, qtbot)
    panel.use.follow.follow_button.click()
    qtbot.waitUntil(lambda: panel.use.follow.is_following)
    session.disconnect()
    qtbot.waitUntil(lambda: not panel.use.follow.is_following, timeout=WAIT_MS)
    assert not panel.use.follow.follow_button.isEnabled()


def test_z_stacks_at_the_same_points_are_compared(
    panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, viewer: ViewerModel
) -> None:
    surveyed(panel, idle, qtbot)
    panel.compare.planes_box.setValue(7)
    panel.compare.start_button.click()
    idle()
    qtbot.waitUntil(lambda: panel.compare.difference is not None, timeout=WAIT_MS)
    difference = panel.compare.difference
    assert difference is not None
    assert difference.count >= 4
    assert abs(difference.mean_um) < 0.2
    assert panel.compare.message.text().startswith("Model − Brenner on ")
    texts = [panel.compare.table.itemAtPosition(3, column).widget().text() for column in (1, 2)]
    assert all(text.endswith("%") for text in texts)
    assert len(panel.book.points) == 9


def test_without_microscope_model_or_area_it_says_so_and_nothing_starts(
    session: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    made = FocusMapPanel(viewer)
    qtbot.addWidget(made)
    assert "Connect a microscope" in made.survey.permission.text()
    assert not made.survey.start_button.isEnabled()
    assert "No area is drawn" in made.plan.line.text()
    assert not made.use.follow.follow_button.isEnabled()
    assert not made.judge.go_button.isEnabled()


@pytest.mark.parametrize("rig", [1], indirect=True)
def test_an_area_outside_the_limits_of_the_stage_is_refused_in_a_sentence(panel: FocusMapPanel) -> None:
    panel.plan.area.put_square((60_000.0, 0.0), 1600.0)
    panel.plan.side_box.setValue(1)
    panel.plan.columns_box.setValue(4)
    assert "12 of 12 places lie outside the limits of the XY stage" in panel.survey.permission.text()
    assert not panel.survey.start_button.isEnabled()


def test_a_tiny_spacing_is_refused_before_it_fills_the_memory(panel: FocusMapPanel) -> None:
    panel.plan.kind_box.setCurrentIndex(panel.plan.kind_box.findData("spacing"))
    panel.plan.spacing_box.setValue(1)
    assert "more than 100000 places" in panel.plan.line.text()
    assert panel.plan.places == []


def test_the_map_and_the_camera_are_not_shown_over_each_other(
    panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, viewer: ViewerModel
) -> None:
    surveyed(panel, idle, qtbot)
    panel.view.camera_button.click()
    assert viewer.layers["Camera"].visible
    assert not viewer.layers[POINTS].visible
    panel.view.map_button.click()
    assert not viewer.layers["Camera"].visible
    assert viewer.layers[POINTS].visible
    panel.view.solid_button.click()
    assert viewer.dims.ndisplay == 3
    assert panel.view.stretch_label.text().startswith("z × ")
    assert not viewer.layers[SURFACE].visible
    panel.view.camera_button.click()
    assert viewer.dims.ndisplay == 2


def finished(session: Session, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not session.analysis.busy, timeout=WAIT_MS)


@pytest.mark.parametrize("suffix", [".pos", ".csv", ".yaml", ".json"])
@pytest.mark.usefixtures("connected")
def test_a_map_comes_back_from_every_kind_of_file(
    session: Session, viewer: ViewerModel, qtbot: QtBot, tmp_path: Path, suffix: str
) -> None:
    panel = FocusMapPanel(viewer)
    qtbot.addWidget(panel)
    panel.book.begin(FocusPoint(1000.0 * i, 1000.0 * j, 3.0 * i) for i in range(3) for j in range(3))
    qtbot.waitUntil(lambda: panel.book.map is not None, timeout=WAIT_MS)
    places = [(point.x_um, point.y_um, point.z_um) for point in panel.book.points]
    path = tmp_path / f"map{suffix}"
    panel.use.export(path)
    finished(session, qtbot)
    assert str(path) in panel.use.message.text(), panel.use.message.text()
    panel.book.begin()
    panel.use.read(path)
    finished(session, qtbot)
    qtbot.waitUntil(lambda: len(panel.book.points) == 9)
    read = [(point.x_um, point.y_um, point.z_um) for point in panel.book.points]
    np.testing.assert_allclose(read, places, atol=1e-2)
    assert panel.tabs.currentWidget() is not None


def test_a_file_that_is_no_list_is_refused_in_a_sentence_and_the_map_stays(
    session: Session, viewer: ViewerModel, qtbot: QtBot, tmp_path: Path
) -> None:
    panel = FocusMapPanel(viewer)
    qtbot.addWidget(panel)
    panel.book.begin([FocusPoint(0.0, 0.0, 1.0)])
    for name, text in (("a.json", "{"), ("b.csv", "a,b\n1,2\n"), ("c.txt", "x")):
        (tmp_path / name).write_text(text)
        panel.use.read(tmp_path / name)
        finished(session, qtbot)
        assert panel.use.message.tone == "error"
        assert name in panel.use.message.text()
    assert len(panel.book.points) == 1


def test_places_without_a_z_are_planned(session: Session, viewer: ViewerModel, qtbot: QtBot, tmp_path: Path) -> None:
    panel = FocusMapPanel(viewer)
    qtbot.addWidget(panel)
    (tmp_path / "places.csv").write_text("x_um,y_um\n0,0\n500,0\n")
    panel.use.read(tmp_path / "places.csv")
    finished(session, qtbot)
    assert panel.plan.places == [(0.0, 0.0), (500.0, 0.0)]
    assert len(viewer.layers[PLAN].data) == 2


def test_an_overview_leaves_points_on_bare_glass_out(
    session: Session, viewer: ViewerModel, qtbot: QtBot, tmp_path: Path
) -> None:
    panel = FocusMapPanel(viewer)
    qtbot.addWidget(panel)
    rng = np.random.default_rng(1)
    image = np.full((200, 200, 3), 235, np.uint8)
    image[:, :100] = (170 + 30 * rng.normal(size=(200, 100, 3))).clip(0, 255).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "slide.png")
    panel.overview.pixel_box.setValue(10.0)
    panel.overview.open(tmp_path / "slide.png")
    finished(session, qtbot)
    assert viewer.layers["Overview"].scale[0] == 10.0
    np.testing.assert_allclose(viewer.layers["Overview"].translate, (-995.0, -995.0))
    panel.plan.area.put_square((0.0, 0.0), 1600.0)
    panel.plan.spacing_box.setValue(400)
    qtbot.waitUntil(lambda: len(panel.plan.places) > 0)
    assert all(x_um < 250 for x_um, _ in panel.plan.places)
    panel.plan.sample_box.setChecked(False)
    assert len(panel.plan.places) == 25


@pytest.mark.parametrize("rig", [1], indirect=True)
def test_an_overview_is_taken_with_the_camera_and_the_stage_comes_back(
    panel: FocusMapPanel, idle: AtRest, qtbot: QtBot, rig: SimulatedRig, viewer: ViewerModel
) -> None:
    panel.take.kind_box.setCurrentIndex(panel.take.kind_box.findData("corners"))
    panel.take.every_box.setValue(1)
    panel.take.take_button.click()
    assert "Go to one corner" in panel.take.message.text()
    panel.take.first_button.click()
    idle()
    panel._session.ask(lambda microscope: microscope.move_xy_to(70.0, 60.0))
    panel.take.second_button.click()
    idle()
    qtbot.waitUntil(lambda: panel.take.second_button.text() == "70, 60 µm")
    assert panel.take.take_button.text() in ("Take it", "Take it: 12 tiles")  # a frame tells how much a tile shows
    panel.take.take_button.click()
    idle()
    assert panel.take.message.text().startswith("12 tiles in"), panel.take.message.text()
    assert rig.microscope.xy_um() == (70.0, 60.0)
    assert viewer.layers["Overview"].data.ndim == 3
    assert panel.view.shows_map


def test_undo_brings_the_map_before_back(panel: FocusMapPanel) -> None:
    panel.book.begin([FocusPoint(0.0, 0.0, 1.0)])
    panel.book.begin()
    panel.book.finish([FocusPoint(5.0, 0.0, 2.0)])
    panel.judge.undo_button.click()
    assert panel.book.points == (FocusPoint(0.0, 0.0, 1.0),)
