"""What a new model may be called, so that it takes the place of nothing. No Qt."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

from napari_autofocus.errors import InputError
from napari_autofocus.models.library import SUFFIX
from napari_autofocus.workflows.training.request import TrainingFolder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


def name_like(words: str) -> str:
    """Words as a model's name."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", words).strip("-._+")[:60] or "my-model"


def free_name(folder: Path, wished: str) -> str:
    """The name that is wished, numbered where there is a model or a training of that name."""
    names = (wished if number == 1 else f"{wished}-{number}" for number in count(1))
    return next(name for name in names if not _is_taken(folder / f"{name}{SUFFIX}"))


def target_of(folder: Path, name: str) -> Path:
    """The file of a new model.

    Raises
    ------
    InputError
        In one sentence, if the name cannot be used, or is taken.
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise InputError(
            f"A model's name has letters, digits and . _ + - only, 64 at most; found {name!r}, choose another."
        )
    target = folder / f"{name}{SUFFIX}"
    if target.exists():
        raise InputError(f"{target} is there already; choose another name, or delete that model.")
    if TrainingFolder.of(target).path.exists():
        raise InputError(f"A training called {name} is unfinished; resume or discard it, or choose another name.")
    return target


def _is_taken(target: Path) -> bool:
    return target.exists() or TrainingFolder.of(target).path.exists()
