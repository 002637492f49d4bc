"""Which tiles of a slide are finished, a line each in a journal beside it, so that a run that was killed goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.files import remove_unfinished, replacing
from napari_autofocus.plain_json import UNUSABLE, read_plain_json

Tile = tuple[int, int]
"""Row and column, from 0."""


class SlideBook:
    """The journal of one slide.

    Parameters
    ----------
    path : Path
        The journal.
    plan : mapping
        What is to be done, in plain values.
    entries : mapping
        What is finished: facts by phase and tile.
    """

    def __init__(
        self, path: Path, plan: Mapping[str, Any], entries: Mapping[tuple[str, Tile], dict[str, Any]] | None = None
    ) -> None:
        self.path, self.plan = path, dict(plan)
        self._entries = dict(entries or {})

    @classmethod
    def begin(cls, path: Path, plan: Mapping[str, Any]) -> SlideBook:
        """Go on with the journal that lies there, or begin one.

        Raises
        ------
        InputError
            If it is of another plan, damaged, or cannot be written.
        """
        earlier = cls.read(path)
        if earlier is not None and (different := _differences(earlier.plan, plan)):
            raise InputError(
                f"{path.name} keeps an unfinished slide of the same name that was begun otherwise"
                f" ({'; '.join(different)}); choose another name, or delete {path} to begin anew."
            )
        book = earlier or cls(path, plan)
        book._write()
        return book

    @classmethod
    def read(cls, path: Path) -> SlideBook | None:
        """The journal there; None where there is none. A last line that was cut short does not count."""
        if not path.exists():
            return None
        try:
            first, *lines = path.read_text(encoding="utf-8").split("\n")
            plan = dict(read_plain_json(first)["plan"])
            values = [read_plain_json(line) for line in lines[:-1]]  # what follows the last line feed was cut short
            entries = {(each.pop("phase"), _tile(each.pop("tile"))): each for each in values}
        except (OSError, *UNUSABLE) as error:
            raise InputError(f"{path} cannot be read as a journal ({error}); delete it to begin anew.") from error
        return cls(path, plan, entries)

    def done(self, phase: str) -> dict[Tile, dict[str, Any]]:
        """Facts of the finished tiles of a phase."""
        return {tile: facts for (of, tile), facts in self._entries.items() if of == phase}

    def note(self, phase: str, tile: Tile, **facts: Any) -> None:
        """A tile is finished. Raises InputError where that cannot be written."""
        self._entries[phase, tile] = facts
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(phase, tile, facts))
        except OSError as error:
            raise InputError(f"{self.path} cannot be written ({error.strerror or error}); make room.") from error

    def remove(self) -> None:
        """The slide is whole."""
        self.path.unlink(missing_ok=True)
        remove_unfinished(self.path)

    def _write(self) -> None:
        with replacing(self.path) as unfinished:
            lines = [_line(phase, tile, facts) for (phase, tile), facts in self._entries.items()]
            unfinished.write_text(json.dumps({"plan": self.plan}) + "\n" + "".join(lines), encoding="utf-8")


def _line(phase: str, tile: Tile, facts: Mapping[str, Any]) -> str:
    return json.dumps({"phase": phase, "tile": tile, **facts}) + "\n"


def _tile(values: list[int]) -> Tile:
    row, column = values
    return int(row), int(column)


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    return [f"{name} {there.get(name)} there, {here[name]} here" for name in here if there.get(name) != here[name]]
