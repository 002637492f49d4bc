"""What became of every field of an acquisition, kept in its folder so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, replacing
from napari_autofocus.io.zarr import own_facts
from napari_autofocus.plain_json import UNUSABLE, read_plain_json, rebuilt
from napari_autofocus.routines.acquire_config import FieldResult
from napari_autofocus.workflows.acquire.plan import AcquisitionPlan

BOOK = "acquisition.json"
_SETTLED = ("written", "empty", "no_focus", "out_of_reach")


class AcquisitionBook:
    """The plan and the fields of one folder.

    Parameters
    ----------
    folder : Path
        Where the stacks are.
    plan : AcquisitionPlan
        What is to be done.
    fields : tuple of FieldResult
        What has become of positions so far.
    """

    def __init__(self, folder: Path, plan: AcquisitionPlan, fields: tuple[FieldResult, ...] = ()) -> None:
        self.folder, self.plan = folder, plan
        self._fields = {each.number: each for each in fields}

    @classmethod
    def read(cls, folder: Path) -> AcquisitionBook | None:
        """The book of a folder; None where there is none. Raises InputError if it is damaged."""
        path = folder / BOOK
        if not path.exists():
            return None
        try:
            values = read_plain_json(path.read_text(encoding="utf-8"))
            plan = AcquisitionPlan.from_json(values["plan"])
            fields = tuple(_result(each) for each in values["fields"])
        except (OSError, InputError, *UNUSABLE) as error:
            raise InputError(
                f"{path} cannot be read as an acquisition ({error}); choose another folder, or restore the file."
            ) from error
        return cls(folder, plan, fields)

    @classmethod
    def begin(cls, folder: Path, plan: AcquisitionPlan) -> AcquisitionBook:
        """Open a folder for a plan, to begin or to go on with it; what a killed run left unfinished is cleared away.

        Raises
        ------
        InputError
            If the folder holds an acquisition by another plan, or cannot be written.
        """
        earlier = cls.read(folder)
        if earlier is not None and (differences := plan.differences(earlier.plan)):
            raise InputError(
                f"{folder} holds an acquisition by another plan ({'; '.join(differences)}); choose another folder, or"
                " go on with that plan."
            )
        make_folder(folder)
        book = cls(folder, plan, () if earlier is None else earlier.fields)
        book._adopt_unentered()
        book.save()
        return book

    @property
    def fields(self) -> tuple[FieldResult, ...]:
        """What became of each position so far, in order."""
        return tuple(self._fields[number] for number in sorted(self._fields))

    @property
    def written(self) -> tuple[Path, ...]:
        """Stacks that are there."""
        return tuple(self.folder / each.name for each in self.fields if each.state == "written")

    @property
    def skipped(self) -> tuple[FieldResult, ...]:
        """Positions without a stack, each with its reason."""
        return tuple(each for each in self.fields if each.state != "written")

    @property
    def settled(self) -> frozenset[int]:
        """Positions that need no second visit; those at which the camera failed do."""
        return frozenset(number for number, each in self._fields.items() if each.state in _SETTLED)

    @property
    def left(self) -> int:
        """Stacks still to be written."""
        return max(0, self.plan.stacks - len(self.written))

    @property
    def name(self) -> str:
        """What tells this acquisition's stacks from any other's."""
        values = self.plan.to_json()
        del values["wanted"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    def stack_path(self, number: int) -> Path:
        """Where the stack of a position belongs."""
        return self.folder / f"field_{number:04d}.zarr"

    def enter(self, result: FieldResult) -> None:
        """Note what became of a field, on the disk at once. Raises InputError where it cannot be written."""
        self._fields[result.number] = result
        self.save()

    def save(self) -> None:
        """Write the book, whole or not at all."""
        values: dict[str, Any] = {
            "made_by": f"napari-autofocus {__version__}",
            "plan": self.plan.to_json(),
            "fields": [_plain(each) for each in self.fields],
        }
        with replacing(self.folder / BOOK) as unfinished:
            unfinished.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    def _adopt_unentered(self) -> None:
        """Stacks that are whole but were not entered before the power failed, and stacks that somebody took away."""
        for leftover in self.folder.glob(".field_*.zarr.part"):
            shutil.rmtree(leftover, ignore_errors=True)
        for number, place in enumerate(self.plan.positions):
            path, entered = self.stack_path(number), self._fields.get(number)
            is_written = entered is not None and entered.state == "written"
            if is_written and not path.exists():
                del self._fields[number]
            elif not is_written and path.exists() and self._is_ours(path, number):
                reason = "Taken by a run that was interrupted after it."
                self._fields[number] = FieldResult(number, *place, "written", reason, path.name)

    def _is_ours(self, path: Path, number: int) -> bool:
        own = own_facts(path)
        return own.get("acquisition") == self.name and own.get("number") == number


def _plain(result: FieldResult) -> dict[str, Any]:
    """As JSON can hold it: a place without an XY stage is null."""
    values = asdict(result)
    return values | {key: None for key in ("x_um", "y_um") if math.isnan(values[key])}


def _result(values: dict[str, Any]) -> FieldResult:
    made = rebuilt(FieldResult, {**values, **{key: values[key] or 0.0 for key in ("x_um", "y_um")}})
    x_um, y_um = (math.nan if values[key] is None else getattr(made, key) for key in ("x_um", "y_um"))
    return replace(made, x_um=x_um, y_um=y_um)
