"""One statement about a stack, as it is to be stored and as it was stored."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from napari_autofocus.errors import InputError

Scope = Literal["field", "patch", "importance"]
PathLike = str | os.PathLike[str]
Place = tuple[str, str, str]
"""What a label is about: stack (relative to the root), scope and key."""

COLUMNS = "id, time_utc, annotator, source, stack, scope, key, value, previous_id, next_id, origin_id"


@dataclass(frozen=True)
class Label:
    """A statement to be stored.

    Parameters
    ----------
    stack : path-like
        The stack's file or folder, absolute or relative to the root of the data set.
    value : JSON value
        What is said, such as ``{"best_z_um": 1.25}``; None withdraws the annotator's label.
    scope : str
        ``field``, ``patch`` or ``importance``.
    key : str
        Which part of the field, such as ``"128,256,128"`` (y, x, size in px); empty for the field.
    """

    stack: PathLike
    value: Any
    scope: Scope = "field"
    key: str = ""

    def __post_init__(self) -> None:
        if self.scope not in get_args(Scope):
            raise InputError(f"A label's scope is one of {', '.join(get_args(Scope))}; found {self.scope!r}.")

    def to_json(self) -> str:
        """The value as it is stored.

        Raises
        ------
        InputError
            If JSON cannot hold it.
        """
        try:
            return json.dumps(self.value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"The label {self.value!r} of {self.stack} cannot be stored ({error}).") from error


@dataclass(frozen=True)
class LabelEntry:
    """One line of the store, as it was confirmed.

    Parameters
    ----------
    time_utc : str
        ISO 8601, UTC.
    source : str
        What made the statement: ``brenner``, ``person``, ``import``, ``undo``, ``redo`` ...
    stack : str
        Relative to the root of the data set, with forward slashes.
    previous_id : int or None
        The annotator's entry whose value an undo brings back; None where there was none.
    next_id : int or None
        The annotator's entry whose value a redo brings back; None where nothing was undone.
    origin_id : int or None
        The entry that first said this value: the entry itself unless it came through undo or redo; 0 where undo left
        nothing; None in entries of schema 1.
    """

    id: int
    time_utc: str
    annotator: str
    source: str
    stack: str
    scope: Scope
    key: str
    value: Any
    previous_id: int | None
    next_id: int | None = None
    origin_id: int | None = None

    @property
    def place(self) -> Place:
        """Stack, scope and key."""
        return self.stack, self.scope, self.key

    @property
    def acted_id(self) -> int:
        """Which of the annotator's actions this value stands for, in the order in which they were made."""
        return self.id if self.origin_id is None else self.origin_id

    @property
    def is_undoable(self) -> bool:
        """Whether there is a value before this one, or a value to withdraw."""
        return self.value is not None or self.previous_id is not None


def entry_of(row: tuple[Any, ...]) -> LabelEntry:
    """The entry of a row with :data:`COLUMNS`."""
    number, time_utc, annotator, source, stack, scope, key, value, *links = row
    return LabelEntry(number, time_utc, annotator, source, stack, scope, key, json.loads(value), *links)


def name_below(root: Path, stack: PathLike) -> str:
    """Path of a stack below the root, with forward slashes, so that a data set can be moved.

    Raises
    ------
    InputError
        If it lies elsewhere.
    """
    path = Path(stack)
    if not path.is_absolute() and not (root / path).exists() and path.exists():
        path = path.absolute()  # relative to the working folder
    place = Path(os.path.normpath(root / path))
    for candidate in (place, place.parent.resolve() / place.name):
        if candidate.is_relative_to(root):
            return candidate.relative_to(root).as_posix()
    raise InputError(f"{stack} lies outside the data set {root}; open the label store with a root above both.")
