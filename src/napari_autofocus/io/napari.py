"""What napari's reader and writer menus call. Knows the layer tuples of npe2, and neither Qt nor a viewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io.lazy import to_um
from napari_autofocus.io.stacks import open_stack
from napari_autofocus.io.writing import write_stack
from napari_autofocus.optics import Objective

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str], list[LayerData]]
METADATA_KEY = "napari_autofocus"


def napari_get_reader(path: str | Sequence[str]) -> Reader | None:
    """A reader for a z-stack whose z is known; None for anything else, which other readers may then open.

    Parameters
    ----------
    path : str or sequence of str
        A file or folder; of several at once none is taken.
    """
    if not isinstance(path, str):
        if len(path) != 1:
            return None
        path = path[0]
    try:
        open_stack(path)
    except InputError:
        return None
    return read_stack


def read_stack(path: str | Sequence[str]) -> list[LayerData]:
    """The stack as one lazy image layer in µm. Raises InputError with the reason if it cannot be opened."""
    return [to_layer(open_stack(path if isinstance(path, str) else path[0]))]


def to_layer(stack: ZStack) -> LayerData:
    """A stack as napari's layer tuple, planes still unread.

    The layer stands at the stack's z in µm. Of an irregular stack the scale is the median step, and the true positions
    are in ``metadata["napari_autofocus"]["z_um"]``; there too are pixel size (None if unknown), focus direction,
    objective and source.
    """
    pixel_um = stack.pixel_size_um
    unit = "um" if pixel_um else "pixel"
    step_um = round(stack.step_um, 9)  # free of the noise of subtracting floats
    about = {
        "z_um": stack.z_um.tolist(),
        "pixel_size_um": pixel_um,
        "focus_direction": stack.focus_direction,
        "objective": stack.objective.name if stack.objective else None,
        "source": stack.source,
    }
    attributes = {
        "name": Path(stack.source).name or "z-stack",
        "scale": (step_um, pixel_um or 1.0, pixel_um or 1.0),
        "translate": (float(stack.z_um[0]), 0.0, 0.0),
        "units": ("um", unit, unit),
        "axis_labels": ("z", "y", "x"),
        "rgb": len(stack.data.shape) == 4,
        "metadata": {METADATA_KEY: about},
    }
    return _dask(stack), attributes, "image"


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image layer as OME-TIFF: what a reader of ours said about it is kept, else its scale in µm counts.

    Raises
    ------
    InputError
        If the layer is no z-stack, or nobody knows its z in µm.
    """
    about = attributes.get("metadata", {}).get(METADATA_KEY, {})
    scale_um = _in_um(attributes, "scale")
    z_um = about.get("z_um")
    if z_um is None or len(z_um) != len(data):
        if scale_um[0] is None:
            raise InputError("The layer does not say its z step in µm; set its scale and units first.")
        z_um = np.arange(len(data)) * scale_um[0] + (_in_um(attributes, "translate")[0] or 0.0)
    lens = about.get("objective")
    stack = ZStack.from_unsorted(
        data,
        z_um,
        pixel_size_um=scale_um[1],
        source=str(attributes.get("name", "")),
        objective=Objective.parse(lens, pixel_size_um=scale_um[1]) if lens else None,
        focus_direction=about.get("focus_direction", 1),
    )
    return [str(write_stack(path, stack))]


def _in_um(attributes: dict[str, Any], name: str) -> list[float | None]:
    """Lengths of the layer along z, y and x, µm; None where its unit is none of length."""
    values, units = attributes.get(name), attributes.get("units") or ()
    if values is None or len(values) != 3 or len(units) != 3:
        return [None] * 3
    return [to_um(value, str(unit)) for value, unit in zip(values, units, strict=True)]


def _dask(stack: ZStack) -> Any:
    """The planes as a dask array of one chunk each: napari reads the plane that it shows."""
    import dask.array as da  # slow to import, and only napari needs it

    data = stack.data
    meta = np.empty((0,) * len(data.shape), data.dtype)
    return da.from_array(data, chunks=(1, *data.shape[1:]), name=False, asarray=False, meta=meta)
