"""How large an image may say it is before it is believed: a file of a kilobyte can announce terabytes."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

MOST_PLANES = 1_000_000
"""Planes that a file may announce; long time series have about ten thousand."""
LARGEST_PLANE = 2**30
"""Bytes of a plane, or of a compressed part that is unpacked at once; large cameras' frames have half as many."""


def check_count(source: str | os.PathLike[str], planes: int) -> None:
    """Raise InputError if an image announces more planes than any has."""
    if planes > MOST_PLANES:
        raise InputError(
            f"{source} announces {planes} planes, more than {MOST_PLANES}; it is damaged or made to do harm: copy or"
            " export it again."
        )


def check_size(source: str | os.PathLike[str], shape: Sequence[int], dtype: npt.DTypeLike) -> None:
    """Raise InputError if a plane, or a part that is unpacked at once, would take more memory than any frame does."""
    size = math.prod(int(side) for side in shape) * np.dtype(dtype).itemsize
    if size > LARGEST_PLANE:
        sides = " x ".join(str(side) for side in shape)
        raise InputError(
            f"{source} announces planes or parts of {sides} px ({size / 2**30:.1f} GB), more than"
            f" {LARGEST_PLANE / 2**30:g} GB; export it in smaller ones."
        )


def is_plain_name(name: str) -> bool:
    """Whether a name from a file can only mean a neighbour of that file, on any system."""
    windows = PureWindowsPath(name)
    if "\0" in name:
        return False
    return name not in ("", ".", "..") and PurePosixPath(name).name == name == windows.name and not windows.drive


def is_below(name: str) -> bool:
    """Whether a relative path from a file stays below that file's folder, on any system."""
    parts = (*PurePosixPath(name).parts, *PureWindowsPath(name).parts)
    return ".." not in parts and not PurePosixPath(name).is_absolute() and not PureWindowsPath(name).anchor
