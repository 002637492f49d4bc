from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_autofocus.errors import InputError
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.widgets.layers import stack_layer

PLANES = 5


def a_layer(**settings: Any) -> Image:
    return Image(np.zeros((PLANES, 40, 60), np.uint8), name="stack", **settings)


def a_focus(best_um: list[float | None], *, field_um: float | None = 2.0) -> Any:
    """Best focus of a field of 40 x 60 px with patches of 20 px; None is not trusted."""
    patches = tuple(SimpleNamespace(best_z_um=um, trusted=um is not None) for um in best_um)
    field = SimpleNamespace(best_z_um=field_um, trusted=field_um is not None)
    return SimpleNamespace(field=field, patches=patches, grid=PatchGrid((40, 60), 20))


def test_z_comes_from_the_readers_metadata_first() -> None:
    z_um = [0.0, 1.0, 3.0, 4.0, 9.0]
    layer = a_layer(metadata={"napari_autofocus": {"z_um": z_um}}, scale=(2, 1, 1))
    assert stack_layer.z_positions_um(layer).tolist() == z_um


def test_z_comes_from_scale_and_translate_in_the_layers_unit() -> None:
    layer = a_layer(scale=(500, 325, 325), translate=(-1000, 0, 0), units=("nm", "nm", "nm"))
    assert stack_layer.z_positions_um(layer) == pytest.approx([-1.0, -0.5, 0.0, 0.5, 1.0])
    assert stack_layer.pixel_size_um(layer) == pytest.approx(0.325)


def test_a_scale_that_was_set_without_a_unit_counts_as_um() -> None:
    assert stack_layer.z_positions_um(a_layer(scale=(0.5, 1, 1)))[-1] == pytest.approx(2.0)


def test_unknown_z_is_asked_for_never_invented() -> None:
    layer = a_layer()
    assert stack_layer.z_positions_um(layer) is None
    assert stack_layer.pixel_size_um(layer) is None
    with pytest.raises(InputError, match="enter the z step"):
        stack_layer.stack_of(layer)
    assert stack_layer.stack_of(layer, step_um=0.25).z_um.tolist() == [0, 0.25, 0.5, 0.75, 1.0]


def test_metadata_of_another_stack_is_refused() -> None:
    layer = a_layer(metadata={"napari_autofocus": {"z_um": [0.0, 1.0]}})
    with pytest.raises(InputError, match="2 z positions for 5 planes"):
        stack_layer.z_positions_um(layer)


def test_more_than_three_axes_are_refused_with_what_to_do() -> None:
    layer = Image(np.zeros((2, PLANES, 40, 60), np.uint8), scale=(1, 0.5, 1, 1))
    with pytest.raises(InputError, match="split the channels"):
        stack_layer.stack_of(layer)


def test_colour_is_no_axis_and_planes_may_be_in_falling_order() -> None:
    data = np.arange(PLANES, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    layer = Image(data, rgb=True, metadata={"napari_autofocus": {"z_um": [4, 3, 2, 1, 0]}})
    stack = stack_layer.stack_of(layer)
    assert stack.z_um.tolist() == [0, 1, 2, 3, 4]
    assert stack.plane(0).max() == PLANES - 1


def test_only_images_with_depth_are_stacks(viewer: ViewerModel) -> None:
    assert stack_layer.is_stack(a_layer())
    assert not stack_layer.is_stack(Image(np.zeros((8, 8))))
    assert not stack_layer.is_stack(Labels(np.zeros((5, 8, 8), int)))


def test_slider_and_plane_agree_in_both_directions(viewer: ViewerModel) -> None:
    layer = viewer.add_layer(a_layer(scale=(0.8, 0.3, 0.3), translate=(-4, 0, 0)))
    for index in (0, 3, 4):
        stack_layer.show_plane(viewer, layer, index)
        assert viewer.dims.point[0] == pytest.approx(-4 + 0.8 * index)
        assert stack_layer.plane_shown(viewer, layer) == index


def test_nearest_plane_of_an_irregular_stack() -> None:
    layer = a_layer(metadata={"napari_autofocus": {"z_um": [0.0, 1.0, 3.0, 4.0, 9.0]}})
    assert stack_layer.nearest_plane(layer, 6.0) == 3
    assert stack_layer.nearest_plane(layer, 7.0) == 4


def test_patches_lie_exactly_over_the_pixels_they_stand_for(viewer: ViewerModel) -> None:
    layer = viewer.add_layer(a_layer(scale=(0.5, 0.25, 0.25), translate=(0, 10, 20)))
    overlay = stack_layer.show_patches(viewer, layer, a_focus([1.0, 2.0, 3.0, 2.0, None, 2.5]))
    first, last = overlay.data_to_world((-0.5, -0.5)), overlay.data_to_world((1.5, 2.5))
    assert first == pytest.approx(layer.data_to_world((0, -0.5, -0.5))[1:])
    assert last == pytest.approx(layer.data_to_world((0, 39.5, 59.5))[1:])


def test_patch_colours_are_offsets_from_the_field_and_untrusted_ones_are_clear(viewer: ViewerModel) -> None:
    layer = viewer.add_layer(a_layer())
    overlay = stack_layer.show_patches(viewer, layer, a_focus([1.0, 2.0, 3.5, 2.0, None, 2.5]))
    np.testing.assert_allclose(overlay.data, [[-1, 0, 1.5], [0, np.nan, 0.5]])
    assert tuple(overlay.contrast_limits) == (-2, 2)
    assert overlay.colormap.map(np.array([np.nan]))[0][3] == 0


def test_patches_speak_for_a_field_that_is_not_trusted() -> None:
    assert stack_layer.centre_um(a_focus([1.0, None, 3.0, None, 4.0, None], field_um=None)) == 3.0
    assert stack_layer.centre_um(a_focus([None] * 6, field_um=None)) is None


def test_the_overlay_is_used_again_and_hidden(viewer: ViewerModel) -> None:
    layer = viewer.add_layer(a_layer())
    viewer.layers.selection = {layer}
    for _ in range(3):
        stack_layer.show_patches(viewer, layer, a_focus([1.0] * 6))
    assert len(viewer.layers) == 2
    assert viewer.layers.selection == {layer}
    stack_layer.hide_patches(viewer)
    assert [each for each in viewer.layers if each.visible] == [layer]
    assert stack_layer.show_patches(viewer, layer, a_focus([1.0] * 6)).visible


@pytest.mark.parametrize(
    ("shape", "side"), [((1024, 1224), 128), ((224, 304), 64), ((2048, 2048), 256), ((20, 90), 20)]
)
def test_patches_fit_the_field(shape: tuple[int, int], side: int) -> None:
    assert stack_layer.fitting_patch_px(shape) == side
