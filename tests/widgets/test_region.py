from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from made_estimates import made_estimate
from napari_autofocus.focus.deciding.selection import patches_inside
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.widgets.focus_state import Estimated, FocusState, Seen
from napari_autofocus.widgets.overlay.region import REGION_LAYER, RegionTool

SHAPE = (160, 192)
SCALE, TRANSLATE = (0.5, 0.5), (10.0, 20.0)


def estimated(shape: tuple[int, int] = SHAPE) -> Estimated:
    image = Seen(np.zeros(shape, np.uint8), "image", scale=SCALE, translate=TRANSLATE, units=("um", "um"))
    return Estimated(image, made_estimate(shape))


@pytest.fixture
def state() -> FocusState:
    return FocusState()


@pytest.fixture
def tool(viewer: ViewerModel, state: FocusState) -> Iterator[RegionTool]:
    made = RegionTool(viewer, state)
    state.tell(estimated())
    yield made
    made.close()


def rectangle(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """Corners around whole pixels."""
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)]) - 0.5


def world(y: float, x: float) -> tuple[float, float]:
    return TRANSLATE[0] + SCALE[0] * y, TRANSLATE[1] + SCALE[1] * x


def test_drawing_needs_an_image(viewer: ViewerModel, state: FocusState) -> None:
    tool = RegionTool(viewer, state)
    tool.draw()
    assert len(viewer.layers) == 0
    assert "no image to draw on" in tool.note


def test_drawing_lies_over_the_image_and_is_ready_for_rectangles(viewer: ViewerModel, tool: RegionTool) -> None:
    tool.draw()
    tool.draw()
    (layer,) = viewer.layers
    assert layer.name == REGION_LAYER
    assert layer.mode == "add_rectangle"
    assert (tuple(layer.scale), tuple(layer.translate)) == (SCALE, TRANSLATE)


def test_all_that_is_drawn_counts_together(viewer: ViewerModel, state: FocusState, tool: RegionTool) -> None:
    tool.draw()
    layer = viewer.layers[REGION_LAYER]
    layer.add_rectangles(rectangle(0, 0, 40, 60))
    layer.add_polygons(np.array([(100, 100), (100, 150), (150, 150)]))
    assert state.region is not None
    assert state.region.shape == SHAPE
    assert state.region[5:35, 5:55].all()
    assert state.region[105, 140]
    assert not state.region[80, 80]
    assert "% of the image counts" in tool.note


def test_the_region_is_told_when_a_shape_is_finished_not_while_it_is_drawn(
    viewer: ViewerModel, state: FocusState, tool: RegionTool
) -> None:
    tool.draw()
    layer = viewer.layers[REGION_LAYER]
    told: list[Any] = []
    state.settings_changed.connect(lambda: told.append(state.region))
    drag = layer.mouse_drag_callbacks[0]
    event = SimpleNamespace(type="mouse_press", position=world(10, 10), modifiers=[], dims_displayed=[0, 1])
    event.pos = np.zeros(2)
    steps = drag(layer, event)
    next(steps)
    event.type = "mouse_move"
    for y in (20, 40, 60):
        event.position = world(y, y)
        next(steps)
    assert told == []
    event.type = "mouse_release"
    with pytest.raises(StopIteration):
        next(steps)
    assert len(told) == 1
    assert told[0][30, 30]


def test_removing_every_shape_or_the_layer_lets_all_count(
    viewer: ViewerModel, state: FocusState, tool: RegionTool
) -> None:
    tool.draw()
    layer = viewer.layers[REGION_LAYER]
    layer.add_rectangles(rectangle(0, 0, 40, 60))
    layer.selected_data = {0}
    layer.remove_selected()
    assert state.region is None
    layer.add_rectangles(rectangle(0, 0, 40, 60))
    assert state.region is not None
    viewer.layers.remove(layer)
    assert state.region is None
    assert tool.note == ""


def test_clear_forgets_drawing_and_patches(viewer: ViewerModel, state: FocusState, tool: RegionTool) -> None:
    tool.draw()
    viewer.layers[REGION_LAYER].add_rectangles(rectangle(0, 0, 40, 60))
    tool.toggle_at(world(10, 10))
    tool.clear()
    assert state.region is None
    assert state.left_out == ()
    assert len(viewer.layers) == 0


def test_a_clicked_patch_is_left_out_and_no_neighbour_brings_it_back(state: FocusState, tool: RegionTool) -> None:
    patch = state.newest.estimate.chosen_patches[5]
    tool.toggle_at(world(patch.y + 16, patch.x + 16))
    assert state.left_out == ((patch.y, patch.x, patch.size),)
    grid = PatchGrid(SHAPE, 32, 16)
    inside = dict(zip(grid, patches_inside(state.region, grid).ravel(), strict=True))
    overlapping = [(patch.y, patch.x + 16), (patch.y, patch.x - 16), (patch.y + 16, patch.x), (patch.y - 16, patch.x)]
    assert not any(inside.get(corner, False) for corner in [(patch.y, patch.x), *overlapping])
    assert sum(inside.values()) >= len(grid) - 5


def test_a_second_click_lets_it_in_again(state: FocusState, tool: RegionTool) -> None:
    patch = state.newest.estimate.chosen_patches[0]
    for _ in range(2):
        tool.toggle_at(world(patch.y + 16, patch.x + 16))
    assert state.left_out == ()
    assert state.region is None


def test_a_click_beside_every_patch_changes_nothing(state: FocusState, tool: RegionTool) -> None:
    told: list[None] = []
    state.settings_changed.connect(lambda: told.append(None))
    tool.toggle_at(world(-5, 10))
    assert told == []


def test_clicks_count_only_while_excluding_and_drags_never(
    viewer: ViewerModel, state: FocusState, tool: RegionTool
) -> None:
    patch = state.newest.estimate.chosen_patches[0]
    napari_own = list(viewer.mouse_drag_callbacks)
    tool.set_excluding(True)
    press = viewer.mouse_drag_callbacks[-1]

    def click(to: tuple[float, float]) -> None:
        event = SimpleNamespace(type="mouse_press", pos=(50, 50), position=world(patch.y + 16, patch.x + 16))
        steps = press(viewer, event)
        next(steps)
        event.type, event.pos = "mouse_release", to
        with pytest.raises(StopIteration):
            next(steps)

    click((90, 50))
    assert state.left_out == ()
    click((51, 50))
    assert len(state.left_out) == 1
    tool.set_excluding(False)
    assert list(viewer.mouse_drag_callbacks) == napari_own


def test_a_region_of_another_image_does_not_apply_and_that_is_said(
    viewer: ViewerModel, state: FocusState, tool: RegionTool
) -> None:
    tool.draw()
    viewer.layers[REGION_LAYER].add_rectangles(rectangle(0, 0, 40, 60))
    said: list[str] = []
    tool.said.connect(said.append)
    state.tell(estimated((96, 96)))
    assert said == ["The region was drawn on an image of 160 × 192 px; this one has 96 × 96 px, so all of it counts."]
    assert state.region_for((96, 96)) is None
    tool.draw()
    viewer.layers[REGION_LAYER].add_rectangles(rectangle(0, 0, 40, 60))
    assert state.region_for((96, 96)) is not None


def test_the_drawing_moves_with_its_image(viewer: ViewerModel, state: FocusState, tool: RegionTool) -> None:
    tool.draw()
    viewer.layers[REGION_LAYER].add_rectangles(rectangle(0, 0, 40, 60))
    moved = Seen(np.zeros(SHAPE, np.uint8), "image", scale=(2.0, 2.0), translate=(0.0, 1.0), units=("um", "um"))
    state.tell(Estimated(moved, made_estimate(SHAPE)))
    assert tuple(viewer.layers[REGION_LAYER].scale) == (2.0, 2.0)
    assert state.region[:40, :60].all()


def test_closing_takes_the_drawing_away(viewer: ViewerModel, state: FocusState, tool: RegionTool) -> None:
    napari_own = list(viewer.mouse_drag_callbacks)
    tool.draw()
    tool.set_excluding(True)
    tool.close()
    assert len(viewer.layers) == 0
    assert list(viewer.mouse_drag_callbacks) == napari_own
