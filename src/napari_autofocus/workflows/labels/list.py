"""The stacks of a folder in memory, with what was said about each; the label store itself is not known here."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.io import open_stack
from napari_autofocus.labelling.entries import LabelEntry, PathLike
from napari_autofocus.labelling.opinions import Consensus, Opinion, consensus, known_dof_um, tolerance_um
from napari_autofocus.labelling.painting import Painting
from napari_autofocus.labelling.standing import Corner, StandingLabels
from napari_autofocus.workflows.batch import LabelSettings


@dataclass(frozen=True)
class WorkItem:
    """One stack of the work list.

    Parameters
    ----------
    path : Path
        As :func:`napari_autofocus.io.open_stack` takes it.
    name : str
        Relative to the data set, with forward slashes.
    consensus : Consensus
        What was said about it.
    failed : str
        Why it, or what was said about it, cannot be read: a sentence; empty where nothing is known against it.
    """

    path: Path
    name: str
    consensus: Consensus
    failed: str = ""

    @property
    def is_open(self) -> bool:
        """Whether a person should still look at it."""
        return self.consensus.needs_person and not self.failed


class WorkList:
    """Stacks by name, in the order of the folder; several threads may use it.

    Parameters
    ----------
    root : Path
        The data set's folder.
    settings : LabelSettings
        How stacks are opened, where their depth of field must be known.
    """

    def __init__(self, root: Path, settings: LabelSettings) -> None:
        self.root = root
        self._settings = settings
        self._lock = threading.RLock()
        self._standing = StandingLabels()
        self._paths: dict[str, Path] = {}
        self._judged: dict[str, WorkItem] = {}
        self._failed: dict[str, str] = {}
        self._dof_um: dict[str, float | None] = {}

    @property
    def items(self) -> tuple[WorkItem, ...]:
        """Every stack."""
        with self._lock:
            return tuple(map(self.item, list(self._paths)))

    @property
    def missing(self) -> tuple[str, ...]:
        """Stacks that were labelled and are no longer in the folder."""
        with self._lock:
            return tuple(name for name in self._standing if name not in self._paths)

    def item(self, name: str) -> WorkItem:
        """One stack."""
        with self._lock:
            if name not in self._judged:
                self._judged[name] = self._judge(name)
            return self._judged[name]

    def name(self, path: PathLike) -> str:
        """The name of a stack of this list; a relative path is one below the root.

        Raises
        ------
        InputError
            If it is not in the list.
        """
        name = self._name_of(Path(path))
        if name not in self._paths:
            raise InputError(f"{path} is not in the work list of {self.root}; open the folder that holds it.")
        return name

    def path(self, name: str) -> Path:
        """Where a stack lies, whether or not it is still there."""
        return self._paths.get(name, self.root / name)

    def take_in(self, stacks: Iterable[Path]) -> list[str]:
        """Add stacks to the list; the names of those that are new."""
        with self._lock:
            found = {self._name_of(path): path for path in stacks}
            new = [name for name in found if name not in self._paths]
            self._paths.update({name: found[name] for name in new})
            return new

    def take_over(self, entries: Iterable[LabelEntry]) -> list[str]:
        """Take in what was said; the names of the stacks of this list about which it was news."""
        with self._lock:
            changed = [entry.stack for entry in entries if self._standing.apply(entry)]
            for name in changed:
                self._judged.pop(name, None)
            return [name for name in changed if name in self._paths]

    def note(self, name: str, failed: str, dof_um: float | None) -> None:
        """Remember whether a stack can be read, and its depth of field, µm."""
        with self._lock:
            self._failed[name] = failed
            if dof_um is not None:
                self._dof_um[name] = dof_um
            self._judged.pop(name, None)

    def opinions(self, name: str) -> tuple[Opinion, ...]:
        """What each annotator says about a stack, as far as it can be read."""
        with self._lock:
            return self._standing.readable(name)

    def patches(self, name: str) -> dict[Corner, Consensus]:
        """What people say about a stack's patches."""
        with self._lock:
            said = self._standing.patches(name)
            return {corner: consensus(each, self._tolerance_um(name, each)) for corner, each in said.items()}

    def paintings(self, name: str) -> dict[str, Painting]:
        """What each annotator painted over a stack's field."""
        with self._lock:
            return self._standing.paintings(name)

    def known_dof_um(self, name: str) -> float | None:
        """Depth of field of a stack, µm, if somebody said it or its file was opened before."""
        with self._lock:
            return self._dof_um.get(name) or known_dof_um(self._standing.readable(name))

    def dof_um(self, name: str) -> float | None:
        """Depth of field of a stack, µm, from its file if need be; None where that does not say."""
        known = self.known_dof_um(name)
        if known is None and name not in self._dof_um:
            known = self._dof_um[name] = self._read_dof_um(name)
        return known

    def _read_dof_um(self, name: str) -> float | None:
        try:
            stack = open_stack(self.path(name), step_um=self._settings.step_um, channel=self._settings.channel)
        except (AutofocusError, OSError):
            return None  # told where the stack itself is wanted
        return stack.dof_um

    def _judge(self, name: str) -> WorkItem:
        try:
            said = self._standing.field(name)
            found = consensus(said, self._tolerance_um(name, said))
        except InputError as error:  # an entry that another program wrote
            return WorkItem(self.path(name), name, Consensus("unlabelled"), str(error))
        return WorkItem(self.path(name), name, found, self._failed.get(name, ""))

    def _tolerance_um(self, name: str, said: Sequence[Opinion]) -> float:
        return tolerance_um(said, lambda: self.dof_um(name))

    def _name_of(self, path: Path) -> str:
        place = self.root / path
        for candidate in (place, place.parent.resolve() / place.name):
            if candidate.is_relative_to(self.root):
                return candidate.relative_to(self.root).as_posix()
        return place.as_posix()
