"""What a folder of z-stacks says about them: best focus from a table or a label store, and which slide they are of.

A stack's own folder is asked first, then the folders above it up to the data set's root; a label store, where a person
may have corrected something, goes before a table.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from napari_autofocus.errors import InputError
from napari_autofocus.labelling import LabelEntry, LabelStore
from napari_autofocus.labelling.painting import KEY as PAINTING
from napari_autofocus.labelling.painting import Painting
from napari_autofocus.labelling.tables import read_label_rows
from napari_autofocus.models.patch_labels import Corner, PatchesSaid, PatchSaid

HowLabelled = Literal["label store", "table", "Brenner"]

TABLE = "labels.csv"
SIMULATION = "simulation.json"
_STORE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_SQLITE = b"SQLite format 3\0"
_STORE_ID = b"NAFL"  # where SQLite keeps a file's application id
_NO = ("false", "0", "no")


@dataclass(frozen=True)
class FieldLabel:
    """What somebody said about a stack.

    Parameters
    ----------
    best_z_um : float or None
        Drive position of best focus, µm; None: in focus nowhere.
    trusted : bool
        False where a table says that its value should not be used.
    how : str
        ``label store`` or ``table``.
    """

    best_z_um: float | None
    trusted: bool
    how: HowLabelled

    @property
    def set_aside(self) -> str:
        """Why the stack is not to be used, as the end of a sentence about it; empty if it is."""
        if self.best_z_um is None:
            return f"is said to be in focus nowhere ({self.how})"
        return "" if self.trusted else f"is labelled as not to be trusted ({self.how})"


@dataclass(frozen=True)
class SlideFacts:
    """Which slide a stack is of, its stain and density; None where nobody says it."""

    slide: str | None = None
    stain: str | None = None
    density: str | None = None


class StackLabels:
    """Labels of the stacks below a folder; files are read when first needed.

    Parameters
    ----------
    root : Path
        The data set's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = _absolute(root)
        self._folders: dict[Path, _Folder] = {}

    def field(self, stack: Path) -> FieldLabel | None:
        """The label of a stack; None where there is none.

        Raises
        ------
        InputError
            If a table or a label store beside the stack cannot be read.
        """
        place = str(_absolute(stack))
        folders = list(self._around(stack))
        stored = (folder.stored[place] for folder in folders if place in folder.stored)
        listed = (folder.listed[place] for folder in folders if place in folder.listed)
        return next(stored, None) or next(listed, None)

    def patches(self, stack: Path) -> PatchesSaid:
        """What label stores say about a stack's patches."""
        place = str(_absolute(stack))
        folders = [folder for folder in self._around(stack) if place in folder.patches or place in folder.paintings]
        if not folders:
            return PatchesSaid()
        return PatchesSaid(folders[0].patches.get(place, {}), folders[0].paintings.get(place))

    def facts(self, stack: Path) -> SlideFacts:
        """Slide, stain and density, from the table's columns of these names or the record of a simulation."""
        place = str(_absolute(stack))
        for folder in self._around(stack):
            found = folder.facts.get(place) or folder.simulated
            if found is not None:
                return found
        return SlideFacts()

    def without_stack(self, stacks: Iterable[Path]) -> tuple[str, ...]:
        """Rows of the tables read so far that belong to none of these stacks."""
        known = {str(_absolute(stack)) for stack in stacks}
        rows = {name: keys for folder in self._folders.values() for name, keys in folder.rows.items()}
        return tuple(name for name, keys in rows.items() if not known & set(keys))

    def _around(self, stack: Path) -> Iterator[_Folder]:
        """The stack's folder and those above it, up to the root."""
        folder = _absolute(stack).parent
        while folder == self.root or self.root in folder.parents:
            if folder not in self._folders:
                self._folders[folder] = _Folder(folder)
            yield self._folders[folder]
            folder = folder.parent


class _Folder:
    """What one folder's table, label stores and simulation record say, by the absolute path of a stack."""

    def __init__(self, folder: Path) -> None:
        self.listed: dict[str, FieldLabel] = {}
        self.stored: dict[str, FieldLabel] = {}
        self.patches: dict[str, dict[Corner, PatchSaid]] = {}
        self.paintings: dict[str, Painting] = {}
        self.facts: dict[str, SlideFacts] = {}
        self.rows: dict[str, tuple[str, ...]] = {}
        self.simulated = _simulated(folder / SIMULATION)
        if (folder / TABLE).is_file():
            self._read_table(folder / TABLE)
        for file in sorted(folder.iterdir()):
            if _is_store(file):
                self._read_store(file)

    def _read_table(self, table: Path) -> None:
        for number, row in enumerate(read_label_rows(table), start=2):
            if (row.get("scope") or "field") != "field":
                continue
            name = row["path"] or ""
            label = FieldLabel(
                _number(row["best_z_um"], f"{table}, line {number}"),
                (row.get("trusted") or "true").strip().lower() not in _NO,
                "table",
            )
            # Paths are relative to the table; in what `label --out` wrote, to the folder where it was run.
            keys = (str(_absolute(table.parent / name)), str(_absolute(Path(name))))
            self.rows[name] = keys
            self.listed.update(dict.fromkeys(keys, label))
            facts = SlideFacts(*(row.get(column) or None for column in ("slide", "stain", "density")))
            if facts != SlideFacts():
                self.facts.update(dict.fromkeys(keys, facts))

    def _read_store(self, file: Path) -> None:
        with LabelStore(file) as store:
            entries, root = store.labels(), store.root
        for entry in entries:
            place = str(_absolute(root / entry.stack))
            if entry.scope == "field":
                best_z_um, trusted = _said_best(entry)
                self.stored[place] = FieldLabel(best_z_um, trusted, "label store")
                continue
            if entry.scope == "importance" and entry.key == PAINTING:
                self.paintings[place] = Painting.from_value(entry.value)
                continue
            corner = _corner(entry, file)
            said = self.patches.setdefault(place, {})
            before = said.get(corner, PatchSaid())
            if entry.scope == "patch":
                said[corner] = PatchSaid(_said_best(entry)[0], before.importance, True)
            else:
                said[corner] = replace(before, importance=_said_importance(entry))


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(Path.cwd() / path))


def _number(text: str | None, where: str) -> float | None:
    if not (text or "").strip():
        return None
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: best_z_um is {text!r}; give a number of µm, or leave it empty.")
    return value


def _is_store(file: Path) -> bool:
    if file.suffix.lower() not in _STORE_SUFFIXES or not file.is_file():
        return False
    with file.open("rb") as handle:
        head = handle.read(72)
    unfinished = file.with_name(file.name + "-wal").is_file()  # an interrupted program's entries still stand there
    return head.startswith(_SQLITE) and (head[68:72] == _STORE_ID or unfinished)


def _said_best(entry: LabelEntry) -> tuple[float | None, bool]:
    """Best z of a stored value, a number or ``{"best_z_um": …, "trusted": …}``, and whether it may be used."""
    value: Any = entry.value if isinstance(entry.value, dict) else {"best_z_um": entry.value}
    best_z_um = value.get("best_z_um")
    if best_z_um is not None and (isinstance(best_z_um, bool) or not isinstance(best_z_um, int | float)):
        raise InputError(f"The label of {entry.stack} says {entry.value!r}, which is no best_z_um; correct it.")
    return None if best_z_um is None else float(best_z_um), bool(value.get("trusted", True))


def _said_importance(entry: LabelEntry) -> float:
    value: Any = entry.value.get("importance") if isinstance(entry.value, dict) else entry.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"The importance of {entry.stack} at {entry.key} is {value!r}; it lies between 0 and 1.")
    return float(value)


def _corner(entry: LabelEntry, file: Path) -> Corner:
    try:
        y, x, size = (int(part) for part in entry.key.split(","))
    except ValueError:
        raise InputError(f"{file}: {entry.key!r} names no patch of {entry.stack}; write y,x,size in pixels.") from None
    return y, x, size


def _simulated(record: Path) -> SlideFacts | None:
    """Slide, stain and density of a folder that ``napari-autofocus simulate`` wrote; one folder is one slide."""
    try:
        settings = json.loads(record.read_text(encoding="utf-8"))["settings"]
        stain, density, seed = settings["stain"], settings["density"], settings["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no such record: the stacks are somebody else's
    return SlideFacts(f"simulated {stain} {density} {seed}", str(stain), str(density))
