"""Frames of an acquisition onto the disk as they come: an OME-Zarr a place, and a line of metadata a frame.

Grey and RGB. Whatever ends a run, what was taken is there and can be opened; frames that were left out are zeros, and
the list of frames does not name them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, replacing
from napari_autofocus.io.ome import WRITABLE
from napari_autofocus.workflows.mda.record import MdaFocusRecord

FRAMES = "frames.jsonl"
RECORD = "autofocus.json"
VERSION = "0.5"
_AXES = ("t", "c", "z")
_RGB = ("red", "green", "blue")


class MdaFolder:
    """A folder that takes the frames of one acquisition.

    Parameters
    ----------
    folder : Path
        Made if it does not exist; must not hold an acquisition.
    sizes : mapping of str to int, optional
        Lengths of the axes t, c and z, where they are known beforehand; images grow otherwise.
    channels : sequence of str, optional
        Names of the channels.

    Raises
    ------
    InputError
        If it cannot be made, or holds an acquisition.
    """

    def __init__(self, folder: Path, sizes: Mapping[str, int] | None = None, channels: tuple[str, ...] = ()) -> None:
        if (folder / FRAMES).exists():
            raise InputError(f"{folder} holds an acquisition, which is not overwritten; choose another folder.")
        make_folder(folder)
        self.folder = folder
        self._sizes = dict(sizes or {})
        self._channels = channels
        self._images: dict[str, _Image] = {}
        self.frames = 0

    def add(self, image: npt.NDArray[Any], index: Mapping[str, int], metadata: Mapping[str, Any]) -> None:
        """Write one frame and what is known of it.

        Parameters
        ----------
        image : np.ndarray, shape (Y, X) or (Y, X, 3)
            The frame.
        index : mapping of str to int
            Where in the acquisition.
        metadata : mapping
            Plain values, ``pixel_size_um`` and ``z_step_um`` among them where they are known.

        Raises
        ------
        InputError
            If the disk is full, or the frame differs in shape or type from those before.
        """
        name = _name(index)
        try:
            if name not in self._images:
                self._images[name] = _Image(self.folder / name, image, self._sizes, self._channels, metadata)
            self._images[name].write(image, tuple(int(index.get(axis, 0)) for axis in _AXES))
            line = {"file": name, "index": {str(key): int(value) for key, value in index.items()}, **metadata}
            with (self.folder / FRAMES).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(line, default=str) + "\n")
        except OSError as error:
            raise InputError(
                f"{self.folder} cannot be written ({error.strerror or error}); make room on the disk or choose another"
                " folder: what was acquired so far is kept."
            ) from error
        self.frames += 1

    def finish(self, record: MdaFocusRecord) -> None:
        """Keep the record of the run beside the frames. Raises InputError."""
        with replacing(self.folder / RECORD) as part:
            part.write_text(record.to_json() + "\n", encoding="utf-8")

    @property
    def images(self) -> list[Path]:
        """The images written so far."""
        return [self.folder / name for name in self._images]


class _Image:
    """One OME-Zarr image that grows with its frames."""

    def __init__(
        self,
        folder: Path,
        first: npt.NDArray[Any],
        sizes: Mapping[str, int],
        channels: tuple[str, ...],
        metadata: Mapping[str, Any],
    ) -> None:
        import zarr

        if first.dtype.name not in WRITABLE or first.ndim not in (2, 3) or (first.ndim == 3 and first.shape[2] != 3):
            raise InputError(
                f"Frames of shape {first.shape} and type {first.dtype} cannot be written; use grey or RGB frames."
            )
        self._first = first.shape, first.dtype
        self._samples = 3 if first.ndim == 3 else 1
        lengths = [max(1, int(sizes.get(axis, 1))) for axis in _AXES]
        lengths[1] *= self._samples
        group = zarr.open_group(str(folder), mode="w-", zarr_format=3)
        self._array: Any = group.create_array(
            "0",
            shape=(*lengths, *first.shape[:2]),
            chunks=(1, 1, 1, *first.shape[:2]),
            dtype=first.dtype,
            dimension_names=["t", "c", "z", "y", "x"],
        )
        group.attrs.update({"ome": self._ome(folder.name, channels, metadata)})

    def write(self, image: npt.NDArray[Any], at: tuple[int, ...]) -> None:
        if (image.shape, image.dtype) != self._first:
            raise InputError(
                f"A frame of shape {image.shape} and type {image.dtype} came after frames of shape {self._first[0]} and"
                f" type {self._first[1]}; leave the camera's settings alone during an acquisition."
            )
        t, c, z = at[0], at[1] * self._samples, at[2]
        needed = (t + 1, c + self._samples, z + 1)
        if any(length > here for length, here in zip(needed, self._array.shape, strict=False)):
            grown = [max(length, here) for length, here in zip(needed, self._array.shape, strict=False)]
            self._array.resize((*grown, *self._array.shape[3:]))
        planes = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
        self._array[t, c : c + self._samples, z] = planes

    def _ome(self, name: str, channels: tuple[str, ...], metadata: Mapping[str, Any]) -> dict[str, Any]:
        pixel_um, step_um = metadata.get("pixel_size_um"), metadata.get("z_step_um")
        known = {"z": step_um, "y": pixel_um, "x": pixel_um}
        types = {"t": "time", "c": "channel"}
        axes = [
            {"name": axis, "type": types.get(axis, "space"), **({"unit": "micrometer"} if known.get(axis) else {})}
            for axis in "tczyx"
        ]
        scale = [float(known.get(axis) or 1.0) for axis in "tczyx"]
        transforms = [{"type": "scale", "scale": scale}]
        multiscale = {
            "name": name.removesuffix(".zarr"),
            "axes": axes,
            "datasets": [{"path": "0", "coordinateTransformations": transforms}],
        }
        return {"version": VERSION, "multiscales": [multiscale], "omero": {"channels": self._labels(channels)}}

    def _labels(self, channels: tuple[str, ...]) -> list[dict[str, Any]]:
        names = channels or tuple(f"channel {c}" for c in range(self._array.shape[1] // self._samples))
        dtype = self._array.dtype
        most = int(np.iinfo(dtype).max) if dtype.kind in "ui" else 1
        window = {"min": 0, "start": 0, "end": most, "max": most}
        if self._samples == 3:
            colours = dict(zip(_RGB, ("FF0000", "00FF00", "0000FF"), strict=True))
            return [
                {"label": f"{name} {colour}", "color": code, "active": True, "window": window}
                for name in names
                for colour, code in colours.items()
            ]
        return [{"label": name, "color": "FFFFFF", "active": True, "window": window} for name in names]


def _name(index: Mapping[str, int]) -> str:
    name = f"p{int(index.get('p', 0)):03d}"
    return f"{name}_g{int(index['g']):03d}.zarr" if "g" in index else f"{name}.zarr"


def read_frames(folder: Path) -> list[dict[str, Any]]:
    """What is known of every frame of an acquisition, in the order taken.

    A line that a power cut left half written is left out.

    Raises
    ------
    InputError
        If the folder holds no acquisition.
    """
    try:
        text = (folder / FRAMES).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{folder} holds no acquisition ({error.strerror or error}).") from error
    frames = []
    for line in text.splitlines():
        try:
            frames.append(json.loads(line))
        except (ValueError, RecursionError):
            continue
    return frames
