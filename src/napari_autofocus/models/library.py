"""Which models there are: those shipped with the program and those in the user's own folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from napari_autofocus.errors import InputError
from napari_autofocus.models.package import ModelCard, VirtualCard, open_any_package

Place = Literal["shipped", "user"]

SHIPPED = Path(__file__).parent / "shipped"
USER_FOLDER_VARIABLE = "NAPARI_AUTOFOCUS_MODELS"
"""Environment variable that names another folder for the user's models."""
SUFFIX = ".zip"


@dataclass(frozen=True)
class InstalledModel:
    """A model file that was found, opened and judged.

    Parameters
    ----------
    name : str
        Name to load it by: that of the file.
    path : Path
        The file.
    place : {'shipped', 'user'}
        Where it lies.
    size_bytes : int
        Of the file.
    card : ModelCard, VirtualCard or None
        What it says of itself; None where it is broken.
    fault : str
        Why it is broken, a sentence; empty where it is not.
    """

    name: str
    path: Path
    place: Place
    size_bytes: int
    card: ModelCard | VirtualCard | None = None
    fault: str = ""


def user_folder() -> Path:
    """Folder of the user's own models; it need not exist."""
    named = os.environ.get(USER_FOLDER_VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("napari-autofocus", appauthor=False) / "models"


def find_model(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a model.

    Parameters
    ----------
    name_or_path : str or path-like
        Name of a shipped model, otherwise of one in the user's folder, otherwise a file. What looks like a path (a
        suffix .zip, a folder) is taken as one.

    Raises
    ------
    InputError
        If there is neither; the message lists what there is.
    """
    text = os.fspath(name_or_path)
    if isinstance(name_or_path, str) and not _looks_like_path(text):
        for path, _ in _files():
            if path.stem == text:
                return path
    if Path(text).is_file() or _looks_like_path(text):
        return Path(text)
    known = sorted({path.stem for path, _ in _files()})
    listed = f"installed are {', '.join(known)}" if known else "none is installed"
    raise InputError(f"There is no model {text!r}: {listed}; name one of these, or the file of a model.")


def installed_models() -> Iterator[InstalledModel]:
    """Every model, opened and verified; a broken file is listed with the reason."""
    for path, place in _files():
        size = path.stat().st_size
        try:
            yield InstalledModel(path.stem, path, place, size, card=open_any_package(path).card)
        except InputError as error:
            yield InstalledModel(path.stem, path, place, size, fault=str(error))


def _files() -> Iterator[tuple[Path, Place]]:
    folders: tuple[tuple[Path, Place], ...] = ((SHIPPED, "shipped"), (user_folder(), "user"))
    for folder, place in folders:
        if folder.is_dir():
            yield from ((path, place) for path in sorted(folder.glob(f"*{SUFFIX}")) if path.is_file())


def _looks_like_path(text: str) -> bool:
    return text.endswith(SUFFIX) or "/" in text or os.sep in text
