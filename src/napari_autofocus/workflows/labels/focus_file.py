"""One stack's focus as a small file: curves as arrays, the rest as JSON; reading it can run no code."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.files import replacing
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.zstack import FocusCurve, PatchFocus, StackFocus

VERSION = 1
"""Of the file, and of what is measured: raised when either changes, so that older files no longer count."""
LARGEST_UNPACKED = 256 * 2**20
"""Bytes that all of a file may unpack to; a thousand planes of four thousand patches have 32 MB."""
_DAMAGED = (
    *(OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError),  # the last for what is encrypted, or packed in unknown ways
)


@dataclass(frozen=True)
class FocusRecord:
    """What a file holds.

    Parameters
    ----------
    about : dict
        What was measured, and how: JSON values that must be the same for the record to count.
    focus : StackFocus
        What was found.
    """

    about: dict[str, Any]
    focus: StackFocus


def write_focus(target: Path, record: FocusRecord) -> None:
    """Write a record whole or not at all.

    Raises
    ------
    InputError
        If the folder cannot be written, or the disk is full.
    """
    focus, field = record.focus, record.focus.field
    curve = {name: value for name, value in vars(field).items() if name not in ("z_um", "sharpness")}
    header = {
        "version": VERSION,
        "about": record.about,
        "source": focus.source,
        "planes": focus.planes,
        "field": curve,
        "grid": asdict(focus.grid),
        "patches": [list(vars(patch).values()) for patch in focus.patches],
    }
    text = json.dumps(header, default=_plain).encode()
    arrays: dict[str, Any] = {"z_um": field.z_um, "sharpness": field.sharpness, "patch_curves": focus.patch_curves}
    with replacing(target) as unfinished, unfinished.open("wb") as handle:
        np.savez_compressed(handle, header=np.frombuffer(text, np.uint8), **arrays)


def read_focus(file: Path) -> FocusRecord | None:
    """The record in a file; None if there is none, it is damaged, or another version wrote it."""
    try:
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            if sum(entry.file_size for entry in arrays.zip.infolist()) > LARGEST_UNPACKED:
                return None
            header = json.loads(bytes(arrays["header"]))
            return _record(header, arrays) if header["version"] == VERSION else None
    except _DAMAGED:
        return None


def _record(header: dict[str, Any], arrays: Any) -> FocusRecord:
    curve = {**header["field"], "reasons": tuple(header["field"]["reasons"])}
    field = FocusCurve(z_um=_numbers(arrays["z_um"]), sharpness=_numbers(arrays["sharpness"]), **curve)
    grid = header["grid"]
    focus = StackFocus(
        source=header["source"],
        planes=header["planes"],
        field=field,
        grid=PatchGrid((grid["field_shape"][0], grid["field_shape"][1]), grid["size"], grid["stride"]),
        patches=tuple(PatchFocus(*values) for values in header["patches"]),
        patch_curves=_numbers(arrays["patch_curves"]),
    )
    return FocusRecord(header["about"], focus)


def _numbers(array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(array, np.float64)


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, for JSON."""
    return value.item()
