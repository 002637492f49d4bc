"""What a folder of z-stacks says about them: best focus from a table or a label store, and which slide they are of.

A stack's own folder is asked first, then the folders above it up to the data set's root. What persons said in a label
store goes before a table, and a table before what Brenner left in a store. Stacks on which persons differ, or that they
set aside, are told with who said what.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.io import open_stack
from napari_autofocus.labelling.opinions import Consensus, Opinion, consensus, newest_of_each, tolerance_um
from napari_autofocus.labelling.painting import merged
from napari_autofocus.labelling.standing import StandingLabels
from napari_autofocus.labelling.store import LabelStore
from napari_autofocus.labelling.tables import read_label_rows
from napari_autofocus.models.labelled.patches import Corner, PatchesSaid, PatchSaid

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
        False where a table or a label store says that its value should not be used.
    how : str
        ``label store`` (persons), ``table`` or ``Brenner`` (measured before, in a label store).
    reason : str
        Why it should not be used and who says so, a sentence; empty where it may, or nobody says why not.
    """

    best_z_um: float | None
    trusted: bool
    how: HowLabelled
    reason: str = ""

    @property
    def set_aside(self) -> str:
        """Why the stack is not to be used, as the end of a sentence about it; empty if it is."""
        if self.reason:
            return f"is set aside. {self.reason.rstrip('.')}"
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
        listed = next((folder.listed[place] for folder in folders if place in folder.listed), None)
        said = next((opinions for folder in folders if (opinions := folder.opinions(place))), ())
        if not said:
            return listed
        found = consensus(said, _tolerance_um(stack, said))
        return listed if listed is not None and not found.persons else _label(found)

    def patches(self, stack: Path) -> PatchesSaid:
        """What label stores say about a stack's patches."""
        place = str(_absolute(stack))
        said = (folder.patches(place, stack) for folder in self._around(stack))
        return next((patches for patches in said if patches.corners or patches.painting is not None), PatchesSaid())

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
        self.facts: dict[str, SlideFacts] = {}
        self.rows: dict[str, tuple[str, ...]] = {}
        self.simulated = _simulated(folder / SIMULATION)
        if (folder / TABLE).is_file():
            self._read_table(folder / TABLE)
        self._folder = folder
        self._stores = [_read_store(file) for file in sorted(folder.iterdir()) if _is_store(file)]

    def opinions(self, place: str) -> tuple[Opinion, ...]:
        """What each annotator says about a stack; of one who says something in several stores, the newest."""
        return newest_of_each(opinion for store in self._stores for opinion in store.field(self._name(place)))

    def patches(self, place: str, stack: Path) -> PatchesSaid:
        """What is said about a stack's patches, and painted over its field."""
        name = self._name(place)
        opinions: dict[Corner, list[Opinion]] = {}
        importance: dict[Corner, float] = {}
        for store in self._stores:
            importance |= store.importance(name)
            for corner, said in store.patches(name).items():
                opinions.setdefault(corner, []).extend(said)
        corners = {
            corner: _patch_said(opinions.get(corner, []), importance.get(corner), stack)
            for corner in opinions.keys() | importance.keys()
        }
        return PatchesSaid(corners, merged(each for store in self._stores for each in store.paintings(name).values()))

    def _name(self, place: str) -> str:
        """A stack as the stores of this folder name it."""
        return Path(place).relative_to(self._folder).as_posix()

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


def _read_store(file: Path) -> StandingLabels:
    with LabelStore(file, read_only=True) as store:
        return StandingLabels(store.labels())


def _label(found: Consensus) -> FieldLabel:
    how: HowLabelled = "label store" if found.persons else "Brenner"
    return FieldLabel(found.best_z_um, found.is_usable, how, found.reason)


def _patch_said(opinions: list[Opinion], importance: float | None, stack: Path) -> PatchSaid:
    if not opinions:
        return PatchSaid(importance=importance)
    said = newest_of_each(opinions)
    found = consensus(said, _tolerance_um(stack, said))
    return PatchSaid(found.best_z_um if found.is_usable else None, importance, True)


def _tolerance_um(stack: Path, opinions: tuple[Opinion, ...]) -> float:
    """How far persons may differ; the stack's file is opened only where that matters."""
    return tolerance_um(opinions, lambda: _dof_um(stack))


def _dof_um(stack: Path) -> float | None:
    try:
        return open_stack(stack).dof_um
    except (AutofocusError, OSError):
        return None  # told where the stack itself is read


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


def _simulated(record: Path) -> SlideFacts | None:
    """Slide, stain and density of a folder that ``napari-autofocus simulate`` wrote; one folder is one slide."""
    try:
        settings = json.loads(record.read_text(encoding="utf-8"))["settings"]
        stain, density, seed = settings["stain"], settings["density"], settings["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no such record: the stacks are somebody else's
    return SlideFacts(f"simulated {stain} {density} {seed}", str(stain), str(density))
