"""Open a stack whatever its form, and find the stacks among files and folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import planes, tiff
from napari_autofocus.io.lazy import FileStack

PathLike = str | os.PathLike[str]
_POSITION = re.compile(r"^(?P<path>.+)::(?P<position>\d+)$")


def open_stack(
    path: PathLike,
    *,
    step_um: float | None = None,
    z_um: Sequence[float] | None = None,
    channel: int | str | None = None,
    pixel_size_um: float | None = None,
) -> ZStack:
    """Open a z-stack without reading its planes; what the file does not say is asked for, never invented.

    Parameters
    ----------
    path : path-like
        A file or a folder; ``file::2`` means the third position of a file that holds several.
    step_um : float, optional
        Distance between planes, µm; the first plane is then at 0. Overrules the file.
    z_um : sequence of float, optional
        Position of each plane in the file's order, µm. Overrules the file.
    channel : int or str, optional
        Number or name of the channel, where there are several.
    pixel_size_um : float, optional
        Overrules the file. Stays None where nobody says it.

    Raises
    ------
    InputError
        If this is not one z-stack, it is damaged, or its z is not known; the message says what to do.
    """
    place, position = _split_position(path)
    said = _read(place, channel=channel, position=position, need_z=step_um is None and z_um is None)
    return said.to_zstack(os.fspath(path), step_um=step_um, z_um=z_um, pixel_size_um=pixel_size_um)


def _split_position(path: PathLike) -> tuple[Path, int | None]:
    match = _POSITION.match(os.fspath(path))
    if match is None or Path(path).exists():
        return Path(path), None
    return Path(match["path"]), int(match["position"])


def _read(path: Path, *, channel: int | str | None, position: int | None, need_z: bool) -> FileStack:
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path.")
    if path.is_dir():
        return planes.open_folder(path, need_z=need_z)
    if path.suffix.lower() in tiff.SUFFIXES:
        return tiff.open_tiff(path, channel=channel, position=position)
    if path.suffix.lower() in planes.SUFFIXES:
        raise InputError(f"{path} holds one plane only; give the folder that holds all planes of the stack.")
    raise InputError(f"{path} is not a form of z-stack that is known here; {_KNOWN}")


_KNOWN = "give OME-TIFF, TIFF, OME-Zarr, a Micro-Manager data set, a folder of planes, or CZI or ND2."


def find_stacks(paths: Iterable[PathLike]) -> list[Path]:
    """The stacks among files and folders, each as a path that :func:`open_stack` takes.

    A folder of plane images is one stack; a folder of multi-page TIFFs holds many; other folders are searched. Files
    that are named are taken as they are, so that a bad one is reported when it is opened.

    Raises
    ------
    InputError
        If a path does not exist, or there is no stack at all.
    """
    given = [Path(path) for path in paths]
    stacks: dict[Path, None] = {}
    for path in given:
        found = _in_folder(path) if path.is_dir() else _in_file(path)
        if not found:
            raise InputError(f"{path} holds no z-stack; {_KNOWN}")
        stacks.update(dict.fromkeys(found))
    if not stacks:
        raise InputError("No file or folder was given; name at least one stack.")
    return list(stacks)


def _in_file(path: Path) -> list[Path]:
    if not _split_position(path)[0].exists():
        raise InputError(f"{path} does not exist; check the path.")
    return _positions(path) if path.suffix.lower() in tiff.SUFFIXES else [path]


def _positions(path: Path) -> list[Path]:
    """The file itself, or one path for each position in it. A file that cannot be read is kept, to be reported."""
    try:
        count = tiff.positions_in(path)
    except InputError:
        return [path]
    return [path] if count == 1 else [path.with_name(f"{path.name}::{i}") for i in range(count)]


def _in_folder(folder: Path) -> list[Path]:
    multi_page = [f for f in planes.image_files(folder) if f.suffix.lower() in tiff.SUFFIXES and _is_stack_file(f)]
    below = [stack for sub in sorted(_subfolders(folder)) for stack in _in_folder(sub)]
    if multi_page:
        return [position for file in multi_page for position in _positions(file)] + below
    images = planes.image_files(folder)
    # A lone image above folders of stacks is a picture of something else.
    own = [folder] if len(images) > 1 or (images and not below) else []
    return own + below


def _subfolders(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__"))]


def _is_stack_file(file: Path) -> bool:
    try:
        return tiff.is_multi_page(file)
    except InputError:
        return False
