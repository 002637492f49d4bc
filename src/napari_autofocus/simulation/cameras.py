"""Which camera is usual for a specimen: colour for what is stained, monochrome for what shines or shifts phase."""

from __future__ import annotations

from typing import Any, Literal, get_args

from napari_autofocus.errors import InputError
from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.stains import PAINTERS

CameraColour = Literal["rgb", "mono"]

_BITS: dict[CameraColour, int] = {"rgb": 8, "mono": 16}


def usual_colour(stain: str) -> CameraColour:
    """What the camera on a microscope for this stain sees."""
    _, contrast = PAINTERS.get(stain, (None, "absorption"))
    # The colour of what shines or shifts phase would tell nothing.
    return "rgb" if contrast == "absorption" else "mono"


def usual_camera(stain: str, colour: str | None = None, *, exposure_ms: float | None = None, **settings: Any) -> Camera:
    """The camera for a stain.

    Parameters
    ----------
    stain : str
        As a specimen spells it.
    colour : {'rgb', 'mono'}, optional
        Instead of the usual one. Colour cameras have 8 bit, monochrome ones 16.
    exposure_ms : float, optional
        The lamp is set so that frames of this exposure time are well exposed.
    **settings
        Of :class:`Camera`.

    Raises
    ------
    InputError
        For another colour, or settings that make no sense.
    """
    wanted = usual_colour(stain) if colour is None else colour
    if exposure_ms is not None:
        settings["default_exposure_ms"] = exposure_ms
    for known in get_args(CameraColour):
        if known == wanted:
            return Camera(colour=known, **{"bit_depth": _BITS[known], **settings})
    raise InputError(f"A camera is rgb (8 bit) or mono (16 bit); found {colour!r}.")
