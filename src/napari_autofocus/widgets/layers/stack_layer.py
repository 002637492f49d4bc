"""An image layer as a z-stack: where its z comes from, which plane the slider shows, and patches laid back over it."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import StackFocus, ZStack
from napari_autofocus.widgets.parts.colours import DIVERGING

METADATA_KEY = "napari_autofocus"
PATCH_LAYER = "Patch focus (µm)"
_LEAST_REACH_UM = 0.1
_FULL_COLOUR_SHARE = 0.9
_PATCH_SIDES = (64, 128, 256)
_PATCHES_ACROSS = 6


def is_stack(layer: Layer) -> bool:
    """Whether a layer may be a z-stack: an image with at least three axes, not an overlay of ours."""
    return isinstance(layer, Image) and layer.ndim >= 3 and "overlay" not in layer.metadata.get(METADATA_KEY, {})


def z_positions_um(layer: Image, step_um: float | None = None) -> np.ndarray | None:
    """Drive positions of a layer's planes, µm.

    Parameters
    ----------
    layer : Image
        Axes …, Z, Y, X (and colour).
    step_um : float, optional
        Distance between planes as the user gives it, used where neither metadata nor scale says.

    Returns
    -------
    np.ndarray, shape (Z,), or None
        From the reader's metadata, else from the layer's scale, else from ``step_um``; None if nothing says.

    Raises
    ------
    InputError
        If the metadata holds another number of positions than there are planes.
    """
    planes = full_resolution(layer).shape[layer.ndim - 3]
    stated = layer.metadata.get(METADATA_KEY, {}).get("z_um")
    if stated is not None:
        if len(stated) != planes:
            raise InputError(
                f"Layer {layer.name!r} states {len(stated)} z positions for {planes} planes; open it again."
            )
        return np.asarray(stated, float)
    scale = _um_of_axis(layer, -3)
    if scale is not None:
        return layer.translate[-3] / layer.scale[-3] * scale + scale * np.arange(planes)
    return None if step_um is None else step_um * np.arange(planes)


def pixel_size_um(layer: Image) -> float | None:
    """Size of a pixel, µm; None where the layer does not say."""
    return _um_of_axis(layer, -1)


def stack_of(layer: Image, step_um: float | None = None) -> ZStack:
    """The z-stack that a layer shows.

    Raises
    ------
    InputError
        If z is unknown, there are more axes than three, or the planes cannot form a stack.
    """
    z_um = z_positions_um(layer, step_um)
    if z_um is None:
        raise InputError(f"Layer {layer.name!r} does not say where its planes lie; enter the z step in µm.")
    if layer.ndim > 3:
        raise InputError(
            f"Layer {layer.name!r} has {layer.ndim} axes; a z-stack has Z, Y and X: split the channels or time points"
            " (right-click the layer, Split Stack)."
        )
    data = full_resolution(layer)
    return ZStack.from_unsorted(data, z_um, pixel_size_um=pixel_size_um(layer), source=layer.name)


def plane_shown(viewer: ViewerModel, layer: Image) -> int:
    """Index of the plane on which the dims slider stands, kept inside the stack."""
    index = round(float(layer.world_to_data(viewer.dims.point)[-3]))
    return min(max(index, 0), full_resolution(layer).shape[layer.ndim - 3] - 1)


def show_plane(viewer: ViewerModel, layer: Image, index: int) -> None:
    """Move the dims slider to a plane."""
    position = [0.0] * layer.ndim
    position[-3] = index
    viewer.dims.set_point(viewer.dims.ndim - 3, float(layer.data_to_world(position)[-3]))


def nearest_plane(layer: Image, z_um: float, step_um: float | None = None) -> int:
    """Index of the plane nearest to a drive position, µm. Raises InputError if z is unknown."""
    positions = z_positions_um(layer, step_um)
    if positions is None:
        raise InputError(f"Layer {layer.name!r} does not say where its planes lie; enter the z step in µm.")
    return int(np.argmin(np.abs(positions - z_um)))


def show_patches(viewer: ViewerModel, layer: Image, focus: StackFocus) -> Image:
    """Lay the trusted patches' best focus over the stack, in colours around the field's; one layer, used again."""
    values = patch_offsets_um(focus)
    reach = _reach_um(values)
    size, corner = layer.scale[-2:], np.asarray(focus.grid.origin) + (focus.grid.size - 1) / 2
    where = {
        "scale": size * focus.grid.step,
        "translate": layer.translate[-2:] + size * corner,
        "units": layer.units[-2:],
        "contrast_limits": (-reach, reach),
    }
    found = patch_overlays(viewer)
    if not found:
        return _add_overlay(viewer, values, where)
    found[0].data = values
    found[0].contrast_limits_range = (-reach, reach)
    for name, value in where.items():
        setattr(found[0], name, value)
    found[0].visible = True
    return found[0]


def _reach_um(values: np.ndarray) -> float:
    """Offset at which the colours are full, µm, a round number: one stray patch shall not pale the rest."""
    known = np.abs(values[np.isfinite(values)])
    wished = max(float(np.quantile(known, _FULL_COLOUR_SHARE)) if known.size else 0.0, _LEAST_REACH_UM)
    decade = 10.0 ** np.floor(np.log10(wished))
    return float(next(decade * step for step in (1, 2, 5, 10) if decade * step >= 0.999 * wished))


def patch_offsets_um(focus: StackFocus) -> np.ndarray:
    """Best focus of each patch minus the field's (minus the patches' median where the field has none), µm.

    Returns
    -------
    np.ndarray, shape (rows, columns), float32
        NaN where a patch is not trusted.
    """
    best = [patch.best_z_um if patch.trusted and patch.best_z_um is not None else np.nan for patch in focus.patches]
    values = np.asarray(best, np.float32).reshape(focus.grid.shape)
    return (values - np.float32(centre_um(focus) or 0.0)).astype(np.float32)


def centre_um(focus: StackFocus) -> float | None:
    """The z that stands for the whole stack, µm: the field's if trusted, else the trusted patches' median."""
    if focus.field.trusted and focus.field.best_z_um is not None:
        return focus.field.best_z_um
    trusted = [patch.best_z_um for patch in focus.patches if patch.trusted and patch.best_z_um is not None]
    return float(np.median(trusted)) if trusted else None


def fitting_patch_px(field_shape: tuple[int, int]) -> int:
    """Side of a patch such that about six lie across the field: 64, 128 or 256 px, or the field's if smaller."""
    wished = min(field_shape) / _PATCHES_ACROSS
    return min(min(_PATCH_SIDES, key=lambda side: abs(side - wished)), *field_shape)


def hide_patches(viewer: ViewerModel) -> None:
    """Show our overlay no more; it stays in the viewer, to be used again."""
    for layer in patch_overlays(viewer):
        layer.visible = False


def _add_overlay(viewer: ViewerModel, values: np.ndarray, where: dict[str, Any]) -> Image:
    selected = set(viewer.layers.selection)
    overlay = Image(
        values,
        name=PATCH_LAYER,
        colormap=DIVERGING,
        opacity=0.45,
        interpolation2d="nearest",
        metadata={METADATA_KEY: {"overlay": "patches"}},
        **where,
    )
    viewer.add_layer(overlay)
    viewer.layers.selection = selected
    return overlay


def patch_overlays(viewer: ViewerModel) -> list[Image]:
    """Our overlay, if there is one."""
    return [layer for layer in viewer.layers if layer.metadata.get(METADATA_KEY, {}).get("overlay") == "patches"]


def full_resolution(layer: Image) -> Any:
    """The full resolution of a layer's data."""
    return layer.data[0] if layer.multiscale else layer.data


def _um_of_axis(layer: Image, axis: int) -> float | None:
    """Scale of an axis in µm: by its unit where that is a length, as it stands where it was set, else None."""
    unit, scale = layer.units[axis], float(layer.scale[axis])
    if unit.is_compatible_with("micrometer"):
        return float((scale * unit).to("micrometer").magnitude)
    return scale if scale != 1.0 else None
