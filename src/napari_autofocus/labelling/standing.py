"""What every annotator of a data set says now, in memory: read from a label store once, then kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.labelling.entries import LabelEntry
from napari_autofocus.labelling.opinions import Opinion, opinion_of
from napari_autofocus.labelling.painting import KEY as PAINTING
from napari_autofocus.labelling.painting import Painting

Corner = tuple[int, int, int]
"""Upper left corner and side of a patch: y, x, size, px."""

_Part = tuple[str, str]  # scope and key


class StandingLabels:
    """The last statement of each annotator about each stack, patch and painting; stacks as the store names them.

    Parameters
    ----------
    entries : iterable of LabelEntry
        What stands, oldest first: :meth:`~napari_autofocus.labelling.LabelStore.labels`.
    """

    def __init__(self, entries: Iterable[LabelEntry] = ()) -> None:
        self._stacks: dict[str, dict[_Part, dict[str, LabelEntry]]] = {}
        self._newest: dict[tuple[str, _Part, str], int] = {}
        for entry in entries:
            self.apply(entry)

    def __iter__(self) -> Iterator[str]:
        """The stacks about which something was said."""
        return iter(stack for stack, parts in self._stacks.items() if any(parts.values()))

    def apply(self, entry: LabelEntry) -> bool:
        """Take a newer entry over; False if it, or a newer one of the same annotator, was known."""
        part = (entry.scope, entry.key)
        own = (entry.stack, part, entry.annotator)
        if entry.id <= self._newest.get(own, 0):
            return False
        self._newest[own] = entry.id
        said = self._stacks.setdefault(entry.stack, {}).setdefault(part, {})
        said.pop(entry.annotator, None)
        if entry.value is not None:
            said[entry.annotator] = entry
        return True

    def field(self, stack: str) -> tuple[Opinion, ...]:
        """The opinions on a stack, one of each annotator, oldest first."""
        return tuple(opinion_of(entry) for entry in self._of(stack, ("field", "")).values())

    def readable(self, stack: str) -> tuple[Opinion, ...]:
        """As :meth:`field`, without the entries of other programs that are no opinions."""
        opinions = []
        for entry in self._of(stack, ("field", "")).values():
            with suppress(InputError):
                opinions.append(opinion_of(entry))
        return tuple(opinions)

    def patches(self, stack: str) -> dict[Corner, tuple[Opinion, ...]]:
        """The opinions on each patch that somebody labelled."""
        return {corner: tuple(map(opinion_of, said)) for corner, said in self._by_corner(stack, "patch")}

    def importance(self, stack: str) -> dict[Corner, float]:
        """The content importance of each patch for which somebody gave a number; the last one given counts."""
        return {corner: _importance_of(said[-1]) for corner, said in self._by_corner(stack, "importance")}

    def paintings(self, stack: str) -> dict[str, Painting]:
        """What each annotator painted over a stack's field, oldest first."""
        said = self._of(stack, ("importance", PAINTING))
        return {annotator: Painting.from_value(entry.value) for annotator, entry in said.items()}

    def _of(self, stack: str, part: _Part) -> dict[str, LabelEntry]:
        return self._stacks.get(stack, {}).get(part, {})

    def _by_corner(self, stack: str, scope: str) -> Iterator[tuple[Corner, list[LabelEntry]]]:
        for (other, key), said in self._stacks.get(stack, {}).items():
            if other == scope and said and key != PAINTING:
                yield _corner_of(next(iter(said.values()))), list(said.values())


def key_of(corner: Corner) -> str:
    """The key under which a store keeps what is said of a patch.

    Raises
    ------
    InputError
        If it is no patch.
    """
    y, x, size = (int(part) for part in corner)
    if y < 0 or x < 0 or size < 1:
        raise InputError(f"A patch has a corner (y, x) from 0 and a side of at least 1 px; found {y}, {x}, {size}.")
    return f"{y},{x},{size}"


def _corner_of(entry: LabelEntry) -> Corner:
    try:
        y, x, size = (int(part) for part in entry.key.split(","))
    except ValueError:
        raise InputError(f"{entry.key!r} names no patch of {entry.stack}; write y,x,size in pixels.") from None
    return y, x, size


def _importance_of(entry: LabelEntry) -> float:
    value: Any = entry.value.get("importance") if isinstance(entry.value, dict) else entry.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"The importance of {entry.stack} at {entry.key} is {value!r}; it lies between 0 and 1.")
    return float(value)
