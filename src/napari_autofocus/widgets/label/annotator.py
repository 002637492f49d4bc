"""Who labels: the name that was given last, otherwise the login."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import platformdirs

from napari_autofocus.errors import InputError
from napari_autofocus.files import replacing

FOLDER_VARIABLE = "NAPARI_AUTOFOCUS_SETTINGS"
"""Environment variable that names another folder for what is remembered."""
_FILE = "annotator.txt"


def remembered_annotator() -> str:
    """The name that was given last; the login where none was."""
    try:
        name = _file().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    return name or _login()


def remember_annotator(name: str) -> None:
    """Keep a name for the next time. Raises InputError if it cannot be kept."""
    path = _file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The annotator's name cannot be remembered in {path.parent} ({error.strerror}).") from error
    with replacing(path) as temporary:
        temporary.write_text(name, encoding="utf-8")


def _file() -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    folder = Path(named) if named else platformdirs.user_config_path("napari-autofocus", appauthor=False)
    return folder / _FILE


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        return "annotator"
