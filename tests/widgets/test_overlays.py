from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot

from made_estimates import made_estimate
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.widgets.estimate.seeing import is_source
from napari_autofocus.widgets.focus_state import Estimated, FocusState, Seen
from napari_autofocus.widgets.overlays import FocusOverlays

SHAPE = (160, 192)
IMPORTANCE, DEFOCUS, PATCHES = "Content importance", "Patch defocus (DOF)", "Chosen patches (µm)"


def seen(value: int = 200, **settings: Any) -> Seen:
    settings = {"scale": (0.5, 0.5), "translate": (10.0, 20.0), "units": ("um", "um")} | settings
    return Seen(np.full((*SHAPE, 3), value, np.uint8), "image", **settings)


def estimated(defocus_um: float = 3.42, **settings: Any) -> Estimated:
    return Estimated(seen(**settings), made_estimate(SHAPE, defocus_um))


@pytest.fixture
def state() -> FocusState:
    return FocusState()


@pytest.fixture
def image(viewer: ViewerModel) -> Image:
    return viewer.add_layer(Image(seen().image, rgb=True, name="image", scale=(0.5, 0.5), translate=(10, 20)))


@pytest.fixture
def overlays(viewer: ViewerModel, state: FocusState, image: Image) -> Iterator[FocusOverlays]:
    made = FocusOverlays(viewer, state)
    made.show_defocus(True)
    yield made
    made.close()


@pytest.fixture
def tell(viewer: ViewerModel, state: FocusState, overlays: FocusOverlays, qtbot: QtBot) -> Any:
    """Tell an estimate and wait until all of it is shown."""

    def tell(told: Estimated) -> None:
        state.tell(told)
        qtbot.waitUntil(lambda: overlays.up_to_date)

    return tell


def test_layers_lie_exactly_over_the_patches(viewer: ViewerModel, image: Image, tell: Any) -> None:
    told = estimated()
    tell(told)
    patches = told.estimate.patches
    for name in (IMPORTANCE, DEFOCUS):
        layer = viewer.layers[name]
        first = layer.data_to_world((-0.5, -0.5))
        last = layer.data_to_world((layer.data.shape[0] - 0.5, layer.data.shape[1] - 0.5))
        assert first == pytest.approx(image.data_to_world((patches[0].y - 0.5, patches[0].x - 0.5)))
        end = patches[-1].y + patches[-1].size - 0.5, patches[-1].x + patches[-1].size - 0.5
        assert last == pytest.approx(image.data_to_world(end))
    picture, painted = viewer.layers[PATCHES], np.zeros(SHAPE, bool)
    assert picture.data_to_world((0, 0)) == pytest.approx(image.data_to_world((0, 0)))
    assert picture.data_to_world((7, 9)) == pytest.approx(image.data_to_world((7, 9)))
    for patch in told.estimate.chosen_patches:
        painted[patch.y, patch.x : patch.x + patch.size] = True
    assert (picture.data[painted][:, 3] > 0).all()


def test_colours_are_in_depths_of_field_around_zero_and_clear_where_nothing_was_read(
    viewer: ViewerModel, tell: Any
) -> None:
    patches = (PatchPrediction(0, 0, 32, 0.9, True, -2.0, 0.1, 0.0), PatchPrediction(0, 32, 32, 0.2))
    tell(Estimated(seen(), made_estimate(SHAPE, patches=patches)))
    np.testing.assert_array_equal(viewer.layers[DEFOCUS].data, [[-2, np.nan]])
    low, high = viewer.layers[DEFOCUS].contrast_limits
    assert low == -high
    np.testing.assert_allclose(viewer.layers[IMPORTANCE].data, [[np.nan, 0.2]])
    assert tuple(viewer.layers[IMPORTANCE].contrast_limits) == (0, 1)


def test_importance_is_whole_where_defocus_is_not_shown(
    viewer: ViewerModel, overlays: FocusOverlays, tell: Any
) -> None:
    tell(estimated())
    overlays.show_defocus(False)
    assert np.isfinite(viewer.layers[IMPORTANCE].data).all()


def test_layers_are_used_again_and_the_users_choice_of_layer_is_kept(
    viewer: ViewerModel, image: Image, tell: Any
) -> None:
    viewer.layers.selection.active = image
    tell(estimated())
    first = list(viewer.layers)
    for defocus_um in (-1.0, 0.5, 2.0):
        tell(estimated(defocus_um))
    assert list(viewer.layers) == first
    assert viewer.layers.selection.active is image
    assert viewer.layers[DEFOCUS].data[0, 0] == pytest.approx(2.0)
    assert [layer.name for layer in viewer.layers] == ["image", IMPORTANCE, DEFOCUS, PATCHES]
    assert not any(is_source(layer) for layer in viewer.layers if layer is not image)


def test_a_single_estimate_shows_everything(viewer: ViewerModel, state: FocusState, tell: Any) -> None:
    tell(estimated())
    assert all(layer.visible for layer in viewer.layers)


def test_another_place_and_size_of_image_is_followed(viewer: ViewerModel, tell: Any) -> None:
    tell(estimated())
    small = (96, 96)
    moved = Seen(np.zeros(small, np.uint8), "image", scale=(2.0, 2.0), translate=(-5.0, 7.0), units=("um", "um"))
    tell(Estimated(moved, made_estimate(small, 1.0)))
    importance = viewer.layers[IMPORTANCE]
    assert importance.data_to_world((-0.5, -0.5)) == pytest.approx((-6.0, 6.0))
    assert importance.data.shape == (6, 6)
    assert viewer.layers[PATCHES].data.shape == (*small, 4)
    assert viewer.layers[PATCHES].data_to_world((0, 0)) == pytest.approx((-5.0, 7.0))


def test_refusals_hide_everything_until_there_is_an_estimate(viewer: ViewerModel, state: FocusState, tell: Any) -> None:
    tell(estimated())
    state.tell_refused(InputError("no"))
    assert [layer.visible for layer in viewer.layers] == [True, False, False, False]
    tell(estimated())
    assert all(layer.visible for layer in viewer.layers)
    state.clear()
    assert not viewer.layers[DEFOCUS].visible


def test_a_switch_is_remembered_while_there_is_nothing_to_show(
    viewer: ViewerModel, state: FocusState, overlays: FocusOverlays, tell: Any
) -> None:
    tell(estimated())
    state.clear()
    overlays.show_patches(False)
    overlays.show_defocus(False)
    overlays.show_defocus(True)
    assert not any(layer.visible for layer in viewer.layers if layer.name != "image")
    tell(estimated())
    assert [layer.visible for layer in viewer.layers] == [True, True, True, False]


def test_what_the_user_hides_stays_hidden_and_is_left_alone(viewer: ViewerModel, state: FocusState, tell: Any) -> None:
    tell(estimated(1.0))
    layer = viewer.layers[DEFOCUS]
    layer.visible = False
    tell(estimated(3.0))
    state.clear()
    tell(estimated(3.0))
    assert not layer.visible
    assert layer.data[0, 0] == pytest.approx(1.0)
    layer.visible = True
    assert layer.data[0, 0] == pytest.approx(3.0)


def test_what_the_user_deletes_comes_back(viewer: ViewerModel, tell: Any) -> None:
    tell(estimated())
    viewer.layers.remove(viewer.layers[DEFOCUS])
    tell(estimated())
    assert [layer.name for layer in viewer.layers] == ["image", IMPORTANCE, DEFOCUS, PATCHES]


def test_switches_hide_and_show(viewer: ViewerModel, overlays: FocusOverlays, tell: Any) -> None:
    tell(estimated())
    switches = {
        IMPORTANCE: overlays.show_importance,
        DEFOCUS: overlays.show_defocus,
        PATCHES: overlays.show_patches,
    }
    for name, switch in switches.items():
        switch(False)
        assert not viewer.layers[name].visible
        switch(True)
        assert viewer.layers[name].visible


def test_opacity_is_that_of_the_colours_alone(viewer: ViewerModel, overlays: FocusOverlays, tell: Any) -> None:
    overlays.set_opacity(0.25)
    tell(estimated())
    assert [viewer.layers[name].opacity for name in (IMPORTANCE, DEFOCUS, PATCHES)] == [0.25, 0.25, 1.0]
    overlays.set_opacity(0.75)
    assert viewer.layers[IMPORTANCE].opacity == 0.75


@pytest.mark.parametrize(("value", "dark"), [(220, True), (10, False)])
def test_ink_stands_out_from_the_image(viewer: ViewerModel, tell: Any, value: int, dark: bool) -> None:
    tell(estimated(value=value))
    pixels = viewer.layers[PATCHES].data
    assert (pixels[pixels[..., 3] == 255][:, :3].mean() < 128) == dark


def test_patches_left_out_are_marked(viewer: ViewerModel, state: FocusState, tell: Any) -> None:
    tell(estimated())
    before = viewer.layers[PATCHES].data.copy()
    state.set_region(np.ones(SHAPE, bool), ((16, 32, 32),))
    tell(estimated())
    changed = np.argwhere((viewer.layers[PATCHES].data != before).any(axis=-1))
    assert changed.min(axis=0).tolist() == [16, 32]
    assert changed.max(axis=0).tolist() == [47, 63]


def test_overlays_lie_above_an_image_that_is_newly_looked_at(viewer: ViewerModel, tell: Any, qtbot: QtBot) -> None:
    tell(estimated())
    viewer.add_layer(Image(np.zeros(SHAPE, np.uint8), name="other"))
    other = replace(seen(), source="other")
    viewer.layers.remove("image")
    tell(Estimated(other, made_estimate(SHAPE)))
    assert [layer.name for layer in viewer.layers] == ["other", IMPORTANCE, DEFOCUS, PATCHES]


def test_nothing_read_shows_importance_alone(viewer: ViewerModel, tell: Any) -> None:
    patches = tuple(PatchPrediction(0, x, 32, 0.1) for x in (0, 32))
    tell(Estimated(seen(), made_estimate(SHAPE, patches=patches)))
    assert not viewer.layers[PATCHES].data.any()
    assert np.isnan(viewer.layers[DEFOCUS].data).all()
    tell(estimated())
    assert viewer.layers[PATCHES].data.any()


def test_closing_takes_the_layers_away_for_good(
    viewer: ViewerModel, state: FocusState, overlays: FocusOverlays, image: Image, tell: Any, qtbot: QtBot
) -> None:
    tell(estimated())
    overlays.close()
    assert len(viewer.layers) == 3, "one at a time: napari crashes if several go between two redraws"
    state.tell(estimated())
    qtbot.waitUntil(lambda: list(viewer.layers) == [image])


def test_over_a_stack_they_show_on_every_plane(viewer: ViewerModel, tell: Any) -> None:
    viewer.layers.clear()
    viewer.add_layer(Image(np.zeros((5, *SHAPE), np.uint8), name="image"))
    tell(estimated(translate=(0.0, 0.0), scale=(1.0, 1.0), units=("pixel", "pixel")))
    viewer.dims.set_point(0, 3)
    assert viewer.layers[PATCHES].ndim == 2  # napari shows a plane without z on every one


def test_a_stream_of_estimates_is_followed_and_ends_on_the_newest(
    viewer: ViewerModel, state: FocusState, overlays: FocusOverlays, tell: Any, qtbot: QtBot
) -> None:
    tell(estimated())
    changes: list[None] = []
    viewer.layers[DEFOCUS].events.set_data.connect(lambda: changes.append(None))
    for step in range(1, 31):
        state.tell(estimated(step / 10))
    qtbot.waitUntil(lambda: overlays.up_to_date)
    assert viewer.layers[DEFOCUS].data[0, 0] == pytest.approx(3.0)
    assert len(changes) < 30
