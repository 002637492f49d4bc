"""Open a stack whatever its form, and find the stacks among files and folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import micromanager, planes, tiff, vendors, zarr
from napari_autofocus.io.lazy import FileStack

PathLike = str | os.PathLike[str]
_KNOWN = "give OME-TIFF, TIFF, OME-Zarr, a Micro-Manager data set, a folder of planes, CZI or ND2."
_POSITION = re.compile(r"^(?P<path>.+)::(?P<position>\d+)$")


def open_stack(
    path: PathLike,
    *,
    step_um: float | None = None,
    z_um: Sequence[float] | None = None,
    channel: int | str | None = None,
    pixel_size_um: float | None = None,
    focus_direction: int | None = None,
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
    focus_direction : {1, -1}, optional
        +1 if a growing z brings sample and objective together. Overrules the file.

    Raises
    ------
    InputError
        If this is not one z-stack, it is damaged, or its z is not known; the message says what to do.
    """
    place, position = split_position(path)
    said = read_file(place, channel=channel, position=position, need_z=step_um is None and z_um is None)
    stack = said.to_zstack(os.fspath(path), step_um=step_um, z_um=z_um, pixel_size_um=pixel_size_um)
    return stack if focus_direction is None else replace(stack, focus_direction=focus_direction)


def check_opening(step_um: float | None, focus_direction: int | None) -> None:
    """Raise InputError if what a user says in place of a file cannot be: before many stacks are opened with it."""
    if step_um is not None and not 0 < step_um < float("inf"):
        raise InputError(f"The z step must be a positive number of µm; found {step_um:g}.")
    if focus_direction not in (None, 1, -1):
        raise InputError(f"The focus direction is +1 or -1; found {focus_direction}.")


def split_position(path: PathLike) -> tuple[Path, int | None]:
    """A path and the number of the stage position that ``file::2`` names; None where it names none."""
    match = _POSITION.match(os.fspath(path))
    if match is None or Path(path).exists():
        return Path(path), None
    return Path(match["path"]), int(match["position"])


def read_file(path: Path, *, channel: int | str | None, position: int | None, need_z: bool) -> FileStack:
    """What a file or folder says about the planes in it, whatever its form. Raises InputError."""
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path.")
    if path.is_dir():
        return _read_folder(path, channel=channel, position=position, need_z=need_z)
    suffix = path.suffix.lower()
    if suffix in tiff.SUFFIXES:
        micro_manager = micromanager.is_image_stack(path)
        opener = micromanager.open_image_stack if micro_manager else tiff.open_tiff
        return opener(path, channel=channel, position=position)
    if suffix in vendors.SUFFIXES:
        return vendors.open_vendor(path, channel=channel, position=position)
    if suffix in planes.SUFFIXES:
        raise InputError(f"{path} holds one plane only; give the folder that holds all planes of the stack.")
    raise InputError(f"{path} is not a form of image that is known here; {_KNOWN}")


def _read_folder(folder: Path, *, channel: int | str | None, position: int | None, need_z: bool) -> FileStack:
    if zarr.is_zarr(folder):
        return zarr.open_zarr(folder, channel=channel)
    if micromanager.is_ndtiff(folder):
        return micromanager.open_ndtiff(folder, channel=channel, position=position)
    if micromanager.is_separate(folder) and planes.image_files(folder) and not _stack_files(folder):
        return micromanager.open_separate(folder, channel=channel, position=position)
    files = _stack_files(folder)
    if len(files) > 1:
        raise InputError(f"{folder} holds {len(files)} stacks, {files[0].name} the first; name one of them.")
    if files:
        return read_file(files[0], channel=channel, position=position, need_z=need_z)
    return planes.open_folder(folder, need_z=need_z)


def find_stacks(paths: Iterable[PathLike]) -> list[Path]:
    """The stacks among files and folders, each as a path that :func:`open_stack` takes.

    A folder of plane images is one stack; a folder of multi-page TIFFs holds many; other folders are searched. Of a
    file with several stage positions each is named (``file::0``). A file that cannot be read is kept, to be reported
    when it is opened; single images beside multi-page files, tables and texts are none of ours.

    Raises
    ------
    InputError
        If a path does not exist, or holds no stack at all.
    """
    stacks: dict[Path, None] = {}
    for path in map(Path, paths):
        found = _in_folder(path) if path.is_dir() else _in_file(path)
        if not found:
            raise InputError(f"{path} holds no z-stack; {_KNOWN}")
        stacks.update(dict.fromkeys(found))
    if not stacks:
        raise InputError("No file or folder was given; name at least one stack.")
    return list(stacks)


def _in_file(path: Path) -> list[Path]:
    place, position = split_position(path)
    if not place.exists():
        raise InputError(f"{place} does not exist; check the path.")
    return [path] if position is not None else _positions(path)


def _in_folder(folder: Path) -> list[Path]:
    if zarr.is_zarr(folder):
        return zarr.images_in(folder)
    if micromanager.is_ndtiff(folder):
        return _positions(folder)
    below = [stack for sub in sorted(_subfolders(folder)) for stack in _in_folder(sub)]
    files = _stack_files(folder)
    if files:
        return [position for file in files for position in _positions(file)] + below
    images = planes.image_files(folder)
    # A lone image above folders of stacks is a picture of something else.
    own = [folder] if len(images) > 1 or (images and not below) else []
    return own + below


def _subfolders(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__"))]


def _stack_files(folder: Path) -> list[Path]:
    """Files of a folder that hold a stack each; unreadable TIFFs too, unless the rest are planes."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    vendor = [file for file in files if file.suffix.lower() in vendors.SUFFIXES]
    tiffs = [file for file in files if file.suffix.lower() in tiff.SUFFIXES and not micromanager.is_continuation(file)]
    pages = {file: _page_kind(file) for file in tiffs}
    if "many" not in pages.values() and ("one" in pages.values() or len(planes.image_files(folder)) > len(tiffs)):
        return vendor
    return vendor + [file for file in tiffs if pages[file] != "one"]


def _page_kind(file: Path) -> Literal["one", "many", "unreadable"]:
    try:
        return "many" if tiff.is_multi_page(file) else "one"
    except InputError:
        return "unreadable"


def _positions(path: Path) -> list[Path]:
    """The file itself, or one path for each position in it. What cannot be read is kept, to be reported."""
    try:
        count = _count_positions(path)
    except InputError:
        return [path]
    return [path] if count == 1 else [path.with_name(f"{path.name}::{i}") for i in range(count)]


def _count_positions(path: Path) -> int:
    if path.is_dir() or (path.suffix.lower() in tiff.SUFFIXES and micromanager.is_image_stack(path)):
        return micromanager.positions_in(path)
    if path.suffix.lower() in tiff.SUFFIXES:
        return tiff.positions_in(path)
    return vendors.positions_in(path) if path.suffix.lower() in vendors.SUFFIXES else 1
