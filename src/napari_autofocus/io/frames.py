"""A single frame from a file, with what the file says about its optics; what it does not say stays unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.io import planes, tiff
from napari_autofocus.io.axes import NotAStack
from napari_autofocus.io.lazy import FileStack, Plane
from napari_autofocus.io.stacks import PathLike, read_file, split_position
from napari_autofocus.optics import Objective

RGB = "rgb"
"""The channel that means: the first three together, as the colours of one image."""
_ONE_PLANE_FILES = tuple(suffix for suffix in planes.SUFFIXES if suffix not in tiff.SUFFIXES)


@dataclass(frozen=True, eq=False)
class Frame:
    """One camera image and how it was taken.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        As stored, in memory.
    lens : Objective or None
        Magnification, NA and immersion where the file states them. The pixel of its camera does not count: that of the
        frame is ``pixel_size_um``.
    pixel_size_um : float or None
        Size of a pixel in the sample, µm, which files state more often than the lens.
    source : str
        Where the frame comes from, for messages and pictures.
    z_um : float or None
        Position of the focus drive, µm, where the file states it.
    focus_direction : int
        +1 if a growing z brings sample and objective together, -1 if apart; +1 unless the file says otherwise.
    """

    image: Plane
    lens: Objective | None = None
    pixel_size_um: float | None = None
    source: str = ""
    z_um: float | None = None
    focus_direction: int = 1

    @property
    def objective(self) -> Objective | None:
        """The lens with this frame's pixels; None where either is not known, for a pixel size is never invented."""
        if self.lens is None or self.pixel_size_um is None:
            return None
        return self.lens.with_pixel_size(self.pixel_size_um)

    def with_optics(self, lens: Objective | None, pixel_size_um: float | None) -> Frame:
        """The frame with what a user says about its optics in place of what the file says; None leaves the file's."""
        return replace(self, lens=lens or self.lens, pixel_size_um=pixel_size_um or self.pixel_size_um)


def open_frame(path: PathLike, *, plane: int | None = None, channel: int | str | None = None) -> Frame:
    """Read one image and the optics that its file states.

    Parameters
    ----------
    path : path-like
        OME-TIFF, TIFF, PNG, JPEG, BMP, OME-Zarr, Micro-Manager, CZI or ND2; ``file::2`` means the third position.
    plane : int, optional
        Which plane of a z-stack, counted from 0 in the file's order.
    channel : int or str, optional
        Number or name of the channel, where there are several; ``rgb`` joins the first three as colours.

    Raises
    ------
    InputError
        If the file is damaged, holds several images and none was chosen, or the image has pixels that are no numbers.
    """
    place, position = split_position(path)
    source = str(path)
    if place.is_file() and place.suffix.lower() in _ONE_PLANE_FILES:
        _check_plane(source, 1, plane)
        return Frame(_checked(planes.read_plane(place), source), source=source)
    said = _said(place, position, channel)
    _check_plane(source, len(said[0].planes), plane)
    read = [np.asarray(each.planes[plane or 0]) for each in said]
    image = read[0] if len(read) == 1 else np.stack(read, axis=-1)
    z_um = None if said[0].z_um is None else float(said[0].z_um[plane or 0])
    found = said[0].objective, said[0].pixel_size_um, source, z_um, said[0].focus_direction
    return Frame(_checked(image, source), *found)


def _said(place: Path, position: int | None, channel: int | str | None) -> list[FileStack]:
    """What the file says of the channel that was chosen, or of three that are colours."""
    try:
        if channel != RGB:
            return [read_file(place, channel=channel, position=position, need_z=False)]
        first = read_file(place, channel=0, position=position, need_z=False)
        if first.planes.ndim == 4:
            return [first]
        others = [read_file(place, channel=number, position=position, need_z=False) for number in (1, 2)]
        return [first, *others]
    except NotAStack as error:
        raise InputError(f"{place} holds {error.holds}; save the frame that you want as a file of its own.") from error


def _check_plane(source: str, count: int, plane: int | None) -> None:
    if plane is None and count > 1:
        raise InputError(
            f"{source} holds {count} planes, but one frame is asked for; choose one with --plane, 0 to {count - 1}."
        )
    if plane is not None and not 0 <= plane < count:
        held = f"planes 0 to {count - 1}" if count > 1 else "plane 0 only"
        raise InputError(f"{source} has no plane {plane}; it holds {held}.")


def _checked(image: Plane, source: str) -> Plane:
    if image.ndim not in (2, 3) or image.dtype.kind not in "uif":
        raise InputError(
            f"{source} holds an array of shape {image.shape} and type {image.dtype}; a frame is a grey (Y, X) or colour"
            " (Y, X, 3) image of numbers, so convert it."
        )
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        bad = np.count_nonzero(~np.isfinite(image))
        raise InputError(f"{source} holds {bad} pixels that are NaN or infinite; mend them or save the frame again.")
    return image
