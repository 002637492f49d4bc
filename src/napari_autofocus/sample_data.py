"""napari's File > Open Sample: small z-stacks and two shots of our own simulation, each a lesson in autofocus.

How they were made, with which optics and which truth, is told in the README of the folder ``sample_data``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import open_stack
from napari_autofocus.io.frames import open_frame
from napari_autofocus.io.napari import LayerData, to_layer

_CHECKOUT = Path(__file__).parents[2]
_PACKAGE = "napari_autofocus_manifest"


def he_dense() -> list[LayerData]:
    """Dense H&E tissue: one clear peak, for the field and for every patch."""
    return _layers("he_dense")


def he_tilted() -> list[LayerData]:
    """The same kind of tissue on a tilted slide: each patch is sharpest at its own z."""
    return _layers("he_tilted")


def cytology_sparse() -> list[LayerData]:
    """A few Papanicolaou-stained cells: most patches are empty and must not be trusted."""
    return _layers("cytology_sparse")


def cytology_extremely_sparse() -> list[LayerData]:
    """A single cell in a wide empty field: the patches know the focus that the whole field hardly shows."""
    return _layers("cytology_extremely_sparse")


def unstained_cells() -> list[LayerData]:
    """Transparent cells: two false peaks, and focus where the contrast is least."""
    return _layers("unstained_cells")


def two_shots() -> list[LayerData]:
    """Two frames of one field, 1 µm below and above focus: for models of two shots, and for virtual refocus."""
    shots = [open_frame(sample_path(name)) for name in ("he_two_shots_below", "he_two_shots_above")]
    stack = ZStack(
        np.stack([shot.image for shot in shots]),
        np.array([shot.z_um for shot in shots]),
        shots[0].pixel_size_um,
        source="he_two_shots",
        objective=shots[0].objective,
        focus_direction=shots[0].focus_direction,
    )
    return [to_layer(stack)]


def sample_path(name: str) -> Path:
    """Where a sample lies: in the checkout when the project runs from one, otherwise in the installed package.

    Raises
    ------
    InputError
        If this installation came without it.
    """
    file = f"{name}.ome.tif"
    folders = [_CHECKOUT / "sample_data"] if (_CHECKOUT / "pyproject.toml").is_file() else []
    # The package holds data only, no module, so it may lie in several folders.
    installed = importlib.util.find_spec(_PACKAGE)
    places = installed.submodule_search_locations if installed else None
    folders += [Path(place) / "sample_data" for place in places or ()]
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    raise InputError(f"This installation came without the sample {file}; install the wheel, or run from a checkout.")


def _layers(name: str) -> list[LayerData]:
    return [to_layer(open_stack(sample_path(name)))]
