"""The parts of the Focus map panel: points with their undo, the surface as a picture, the table, the layers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_autofocus.errors import InputError
from napari_autofocus.slide.focus_map import FocusPoint, fit_focus_map
from napari_autofocus.widgets.map.book import MapBook
from napari_autofocus.widgets.map.compare import difference_of
from napari_autofocus.widgets.map.judge import JudgeSection
from napari_autofocus.widgets.map.layers import MESH, PLAN, POINTS, SURFACE, MapLayers
from napari_autofocus.widgets.map.marks import face_colours
from napari_autofocus.widgets.map.picture import limits_of, mesh_of, picture_of, spacing_of, stretch_for
from napari_autofocus.widgets.map.view import nearest_point


def tilted(side: int = 5, *, lift_um: float = 0.0) -> tuple[FocusPoint, ...]:
    """A square of points every 1000 µm, 3 µm higher each mm of x; one in the middle is empty."""
    rng = np.random.default_rng(3)
    points = [
        FocusPoint(1000.0 * i, 1000.0 * j, 3.0 * i + lift_um + 0.05 * float(rng.normal()), 0.05)
        for j in range(side)
        for i in range(side)
    ]
    points[side * side // 2] = FocusPoint(
        points[side * side // 2].x_um, points[side * side // 2].y_um, None, None, "empty"
    )
    return tuple(points)


@pytest.fixture
def book(qtbot: QtBot) -> Iterator[MapBook]:
    made = MapBook()
    yield made
    made.close()


def fitted(book: MapBook, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: book.map is not None and book.map.points == book.points, timeout=20_000)


def test_points_get_a_surface_beside_the_gui(book: MapBook, qtbot: QtBot) -> None:
    book.begin(tilted())
    assert book.map is None
    fitted(book, qtbot)
    assert book.map is not None
    assert book.map.z_um(2000.0, 2000.0) == pytest.approx(6.0, abs=0.2)
    assert book.residual_um(0) == pytest.approx(0.0, abs=0.3)
    assert book.residual_um(12) is None


def test_a_z_set_by_hand_can_be_undone(book: MapBook, qtbot: QtBot) -> None:
    book.begin(tilted())
    before = book.points
    book.set_z(12, 6.5)
    assert (book.points[12].z_um, book.points[12].outcome) == (6.5, "edited")
    book.set_z(0, None)
    assert book.points[0].z_um is None
    book.undo()
    book.undo()
    assert book.points == before
    assert not book.can_undo
    with pytest.raises(InputError, match="finite"):
        book.set_z(0, float("nan"))


def test_too_few_points_are_a_sentence_and_no_surface(book: MapBook, qtbot: QtBot) -> None:
    book.begin(tilted()[:2])
    qtbot.waitUntil(lambda: bool(book.fault))
    assert "at least 3 points" in book.fault
    assert book.map is None


def test_a_place_that_is_settled_again_does_not_become_two_points(book: MapBook) -> None:
    first, second = tilted()[:2]
    book.add(0, first)
    book.add(1, second)
    book.add(0, second)
    assert book.points == (second, second)


def test_a_picture_ends_where_the_map_does() -> None:
    picture = picture_of(fit_focus_map(tilted()), side_px=40)
    assert picture.z_um.shape == (40, 40)
    inside = picture.z_um[np.isfinite(picture.z_um)]
    assert (inside.min(), inside.max()) == (pytest.approx(0.0, abs=1.0), pytest.approx(12.0, abs=1.0))
    middle = picture.z_um[20, 20]
    assert middle == pytest.approx(6.0, abs=0.3)


def test_the_mesh_is_stretched_by_a_round_number_that_is_told() -> None:
    mesh = mesh_of(picture_of(fit_focus_map(tilted()), side_px=30))
    assert mesh is not None
    assert mesh.stretch in (50, 100, 200)
    assert np.ptp(mesh.vertices[:, 0]) == pytest.approx(mesh.stretch * np.ptp(mesh.values), rel=0.01)
    assert mesh.faces.max() < len(mesh.vertices)
    assert stretch_for(0.0, 10_000.0) == 5000
    assert stretch_for(1000.0, 10.0) == 1


def test_limits_leave_out_what_is_left_out_and_are_never_equal() -> None:
    points = (FocusPoint(0, 0, 1.0), FocusPoint(1, 0, 1.0), FocusPoint(2, 0, 90.0))
    assert limits_of(points, [2]) == (0.75, 1.25)
    assert limits_of(()) == (0.0, 1.0)


def test_spacing_is_the_distance_of_neighbours() -> None:
    assert spacing_of([(point.x_um, point.y_um) for point in tilted()]) == pytest.approx(1000.0)
    assert spacing_of([(0.0, 0.0)]) > 0


def test_a_click_means_the_nearest_point_or_none() -> None:
    assert nearest_point(tilted(), 1100.0, 50.0) == 1
    assert nearest_point(tilted(), 500.0, 500.0) is None
    assert nearest_point((), 0.0, 0.0) is None


def test_what_was_found_has_a_colour_and_what_was_not_has_none() -> None:
    points = (FocusPoint(0, 0, 0.0), FocusPoint(1, 0, 5.0), FocusPoint(2, 0, None, outcome="empty"))
    colours = face_colours(points, (0.0, 5.0))
    assert not np.allclose(colours[0], colours[1])
    assert colours[2, 3] == 0


def test_two_maps_are_compared_on_their_points_and_between() -> None:
    difference = difference_of(fit_focus_map(tilted(lift_um=0.5)), fit_focus_map(tilted()))
    assert (difference.mean_um, difference.count) == (pytest.approx(0.5, abs=0.01), 24)
    assert np.nanmean(difference.values_um) == pytest.approx(0.5, abs=0.05)


def test_maps_without_a_common_point_are_refused() -> None:
    elsewhere = tuple(FocusPoint(p.x_um + 300, p.y_um, p.z_um) for p in tilted())
    with pytest.raises(InputError, match="share no point"):
        difference_of(fit_focus_map(tilted()), fit_focus_map(elsewhere))


def test_layers_show_plan_points_and_surface_in_stage_coordinates(viewer: ViewerModel, qtbot: QtBot) -> None:
    layers, points = MapLayers(viewer), tilted()
    layers.show_plan([(point.x_um, point.y_um) for point in points])
    layers.show_points(points, {3: "Lies above its neighbours."}, (0.0, 12.0))
    picture = picture_of(fit_focus_map(points), side_px=30)
    layers.show_surface(picture, (0.0, 12.0))
    names = [layer.name for layer in viewer.layers]
    assert names.index(SURFACE) < names.index(PLAN) < names.index(POINTS)
    shown = layers.layer(POINTS)
    np.testing.assert_allclose(shown.data[1], (0.0, 1000.0))
    assert str(shown.symbol[12]) == "disc"
    assert shown.border_width[3] > shown.border_width[2]
    assert not layers.layer(PLAN).visible
    surface = layers.layer(SURFACE)
    np.testing.assert_allclose(surface.translate, picture.origin_um)
    layers.select(7)
    assert set(shown.selected_data) == {7}
    assert layers.show_mesh((0.0, 12.0)) is not None
    assert viewer.dims.ndisplay == 3
    layers.hide_mesh()
    assert viewer.dims.ndisplay == 2
    qtbot.waitUntil(lambda: MESH not in viewer.layers)
    layers.close()
    qtbot.waitUntil(lambda: not viewer.layers)


def test_a_layer_that_was_deleted_comes_back(viewer: ViewerModel) -> None:
    layers = MapLayers(viewer)
    layers.show_points(tilted(), {}, (0.0, 12.0))
    viewer.layers.remove(POINTS)
    layers.show_points(tilted(), {}, (0.0, 12.0))
    assert POINTS in viewer.layers


def test_the_table_tells_residuals_outcomes_and_reasons(book: MapBook, qtbot: QtBot) -> None:
    points = list(tilted())
    points[6] = FocusPoint(points[6].x_um, points[6].y_um, 30.0, 0.05)
    points[3] = FocusPoint(points[3].x_um, points[3].y_um, None, None, "failed", "The camera failed.")
    section = JudgeSection(book, "dark")
    qtbot.addWidget(section)
    book.begin(points)
    fitted(book, qtbot)
    rows, cell = section.table.rows, lambda row, column: section.table.rows.data(section.table.rows.index(row, column))
    assert rows.rowCount() == 25
    assert cell(6, 5) == "found, left out"
    assert "above" in cell(6, 6)
    assert (cell(3, 3), cell(3, 5), cell(3, 6)) == ("–", "failed", "The camera failed.")
    assert cell(12, 5) == "empty"
    assert "through 22 of 23 points" in section.line.text()
    assert re.search(r"Tilt \+3\.0 ± [0-9.e−]+ µm/mm along x", section.line.text())


def test_a_point_is_chosen_set_removed_and_taken_back(book: MapBook, qtbot: QtBot) -> None:
    section = JudgeSection(book, "dark")
    qtbot.addWidget(section)
    told: list[int | None] = []
    section.picked.connect(told.append)
    book.begin(tilted())
    fitted(book, qtbot)
    assert not section.set_button.isEnabled()
    section.choose(12)
    assert told == [12]
    assert section.z_box.value() == pytest.approx(6.0, abs=0.2)  # what the surface says of an empty place
    section.set_button.click()
    assert book.points[12].outcome == "edited"
    assert section.table.chosen == 12
    section.remove_button.click()
    assert book.points[12].z_um is None
    section.undo_button.click()
    section.undo_button.click()
    assert book.points[12].outcome == "empty"
    assert not section.undo_button.isEnabled()


def test_another_surface_is_fitted_when_it_is_chosen(book: MapBook, qtbot: QtBot) -> None:
    section = JudgeSection(book, "dark")
    qtbot.addWidget(section)
    book.begin(tilted())
    section.surface_box.setCurrentIndex(section.surface_box.findData("rbf"))
    qtbot.waitUntil(lambda: book.map is not None and book.map.surface == "rbf", timeout=20_000)
    assert section.line.text().startswith("RBF through 24 of 24 points")
