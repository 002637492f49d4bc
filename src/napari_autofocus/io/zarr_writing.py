"""A z-stack into an OME-Zarr image (version 0.5), plane by plane as a camera delivers them: whole or not at all.

Planes go to a hidden folder beside the target, which takes its name when the last one is on the disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.io.lazy import FloatArray
from napari_autofocus.io.ome import WRITABLE, regular_step_um
from napari_autofocus.io.zarr import OWN_KEY, objective_to_json
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.optics import Objective

VERSION = "0.5"
_COLOURS = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}


@dataclass(frozen=True)
class StackFacts:
    """What is known of a stack besides its frames.

    Parameters
    ----------
    objective : Objective or None
        None where nobody says.
    pixel_size_um : float or None
        Size of a pixel in the sample, for frames that do not state theirs, µm.
    focus_direction : int
        +1 or −1; 0 where nobody knows, and then it is not stated.
    more : mapping
        Plain values to be kept with it: which acquisition it belongs to, for instance.
    """

    objective: Objective | None = None
    pixel_size_um: float | None = None
    focus_direction: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)


class ZarrStackWriter:
    """Takes the planes of one stack; nothing is seen under its name before :meth:`keep`.

    Parameters
    ----------
    target : Path
        Ends in ``.zarr``; must not exist.
    planes : int
        How many will come.
    facts : StackFacts
        What else is known.

    Raises
    ------
    InputError
        If the target exists.
    """

    def __init__(self, target: Path, planes: int, facts: StackFacts) -> None:
        if target.exists():
            raise InputError(f"{target} exists and is not overwritten; choose another folder, or move it away.")
        self._target, self._planes, self._facts = target, planes, facts
        self._part = target.with_name(f".{target.name}.part")
        self._frames: dict[int, Frame] = {}  # without their images
        self._array: Any = None
        self._group: Any = None

    def add(self, plane: int, frame: Frame) -> None:
        """Write plane ``plane`` (from 0, by rising z).

        Raises
        ------
        InputError
            If the disk is full or cannot be written, or the frame differs in shape or type from those before.
        """
        with self._writing():
            image = np.asarray(frame.image)
            if self._array is None:
                self._begin(image)
            self._check(image)
            if image.ndim == 3:
                self._array[:, plane] = np.moveaxis(image, -1, 0)
            else:
                self._array[plane] = image
        self._frames[plane] = _without_image(frame)

    def keep(self) -> str:
        """Make the stack valid under its name, once every plane is on the disk.

        Returns
        -------
        str
            Its name in its folder.

        Raises
        ------
        InputError
            If planes are missing, two of them have the same z, or the disk is full.
        """
        frames = self._in_order()
        with self._writing():
            self._group.attrs.update(self._attributes(frames))
            flush_folder(self._part)
            self._part.rename(self._target)
            flush_path(self._target.parent)
        return self._target.name

    def drop(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._part, ignore_errors=True)

    def _begin(self, image: npt.NDArray[Any]) -> None:
        import zarr

        if image.dtype.name not in WRITABLE or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
            raise InputError(
                f"Frames of shape {image.shape} and type {image.dtype} cannot be written; use grey or RGB."
            )
        self.drop()  # what an interrupted run left under this name
        is_rgb = image.ndim == 3
        shape = (*((3,) if is_rgb else ()), self._planes, *image.shape[:2])
        self._group = zarr.open_group(str(self._part), mode="w", zarr_format=3)
        self._array = self._group.create_array(
            "0",
            shape=shape,
            chunks=tuple(1 if axis == len(shape) - 3 else length for axis, length in enumerate(shape)),
            dtype=image.dtype,
            dimension_names=_axes(is_rgb),
        )

    def _check(self, image: npt.NDArray[Any]) -> None:
        known = (*self._array.shape[-2:], *((3,) if self._array.ndim == 4 else ()))
        if image.shape != known or image.dtype != self._array.dtype:
            raise InputError(
                f"A frame of shape {image.shape} and type {image.dtype} came after frames of shape {known} and type"
                f" {self._array.dtype}; leave the camera's settings alone while stacks are acquired."
            )

    def _in_order(self) -> list[Frame]:
        missing = self._planes - len(self._frames)
        if missing:
            raise InputError(f"{self._target.name} lacks {missing} of its {self._planes} planes; take it again.")
        frames = [self._frames[plane] for plane in range(self._planes)]
        steps_um = np.diff([frame.z_um for frame in frames])
        if steps_um.size and steps_um.min() <= 0:
            index = int(np.argmin(steps_um))
            raise InputError(
                f"The drive rested at {frames[index].z_um:.3f} and then at {frames[index + 1].z_um:.3f} µm for two"
                " planes in succession; it cannot make steps so small: take larger ones."
            )
        return frames

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self._target} cannot be written ({error.strerror or error}); make room on the disk or choose another"
                " folder, then start again: finished stacks are kept."
            ) from error

    def _attributes(self, frames: list[Frame]) -> dict[str, Any]:
        is_rgb = self._array.ndim == 4
        z_um = np.array([frame.z_um for frame in frames], np.float64)
        ome: dict[str, Any] = {
            "version": VERSION,
            "multiscales": [_multiscale(self._target, self._pixel_um(frames), z_um, is_rgb)],
        }
        if is_rgb:
            ome["omero"] = {"channels": [_channel(name, self._array.dtype) for name in _COLOURS]}
        return {"ome": ome, OWN_KEY: self._own(frames, is_rgb)}

    def _pixel_um(self, frames: list[Frame]) -> float | None:
        return frames[0].pixel_size_um or self._facts.pixel_size_um

    def _lens(self, frames: list[Frame]) -> dict[str, Any] | None:
        """The objective with the camera that the frames were taken with."""
        lens, pixel_um = self._facts.objective, self._pixel_um(frames)
        if lens is None:
            return None
        return objective_to_json(lens if pixel_um is None else lens.with_pixel_size(pixel_um))

    def _own(self, frames: list[Frame], is_rgb: bool) -> dict[str, Any]:
        first, facts = frames[0], self._facts
        known = {
            "x_um": _finite(first.x_um),
            "y_um": _finite(first.y_um),
            "exposure_ms": first.exposure_ms,
            "bit_depth": first.bit_depth,
            "objective": self._lens(frames),
            "focus_direction": facts.focus_direction or None,
        }
        return {
            "z_um": [frame.z_um for frame in frames],
            "started_s": [frame.started_s for frame in frames],
            "colour": "rgb" if is_rgb else "grey",
            **{key: value for key, value in known.items() if value is not None},
            **facts.more,
        }


def _multiscale(target: Path, pixel: float | None, z_um: FloatArray, is_rgb: bool) -> dict[str, Any]:
    """One resolution; without a pixel size (µm) x and y carry no unit, since none is known."""
    step_um = regular_step_um(z_um) or (float(np.median(np.diff(z_um))) if z_um.size > 1 else 1.0)
    lengths = {"z": step_um, "y": pixel or 1.0, "x": pixel or 1.0}
    starts = {"z": float(z_um[0]), "y": 0.0, "x": 0.0}
    named = []
    for axis in _axes(is_rgb):
        unit = {"unit": "micrometer"} if axis == "z" or (axis in "yx" and pixel) else {}
        named.append({"name": axis, "type": "channel" if axis == "c" else "space", **unit})
    channel = [1.0] if is_rgb else []
    steps = [
        {"type": "scale", "scale": channel + [lengths[axis] for axis in "zyx"]},
        {"type": "translation", "translation": [0.0] * len(channel) + [starts[axis] for axis in "zyx"]},
    ]
    name = target.name.removesuffix(".zarr")
    return {"name": name, "axes": named, "datasets": [{"path": "0", "coordinateTransformations": steps}]}


def _axes(is_rgb: bool) -> list[str]:
    return ["c", "z", "y", "x"] if is_rgb else ["z", "y", "x"]


def _channel(name: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    most = int(np.iinfo(dtype).max) if dtype.kind in "ui" else 1
    window = {"min": 0, "start": 0, "end": most, "max": most}
    return {"label": name, "color": _COLOURS[name], "active": True, "window": window}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _without_image(frame: Frame) -> Frame:
    """What is remembered of a frame that is on the disk."""
    return replace(frame, image=np.empty(0))


def flush_folder(folder: Path) -> None:
    """Everything in a folder, on the disk: a power failure after this finds it whole."""
    for path in [*folder.rglob("*"), folder]:
        flush_path(path)


def flush_path(path: Path) -> None:
    if path.is_dir() and os.name == "nt":  # Windows has no such thing for folders
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
