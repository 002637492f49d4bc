"""Z-stacks from a microscope into a folder: one OME-Zarr a field, and an ``acquisition.json`` from which to go on.

A folder that was begun is resumed: finished stacks stay, the one that was under way is taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from napari_autofocus.focus.estimate import FocusPredictor, ImageOptics
from napari_autofocus.io.zarr_writing import StackFacts, ZarrStackWriter
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.routines.acquire import Finder, StackWriter, acquire
from napari_autofocus.routines.acquire_config import AcquireRecord, AcquireStep, FieldPlan, FieldResult
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.routines.sweep import sweep
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.steps import relay
from napari_autofocus.workflows.acquire.book import AcquisitionBook
from napari_autofocus.workflows.acquire.plan import AcquisitionPlan

__all__ = ["AcquisitionPlan", "AcquisitionResult", "acquire_stacks", "model_finder", "sweep_finder"]


@dataclass(frozen=True)
class AcquisitionResult:
    """What a folder holds after a run.

    Parameters
    ----------
    folder : Path
        Where the stacks are.
    written : tuple of Path
        Every stack, those of earlier runs included.
    skipped : tuple of FieldResult
        Positions without a stack, each with its reason.
    fields : tuple of FieldResult
        What became of every position that was visited, by this run or an earlier one.
    record : AcquireRecord
        What this run itself leaves behind.
    """

    folder: Path
    written: tuple[Path, ...]
    skipped: tuple[FieldResult, ...]
    fields: tuple[FieldResult, ...]
    record: AcquireRecord


def acquire_stacks(
    microscope: Microscope,
    plan: AcquisitionPlan,
    folder: Path,
    *,
    find: Finder | None = None,
    keep: Callable[[AcquireRecord], None] | None = None,
) -> Generator[AcquireStep, None, AcquisitionResult]:
    """Take the stacks of a plan that a folder still lacks.

    Closing the generator ends the run with slide and drive where they were; the same call goes on later.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move.
    plan : AcquisitionPlan
        Where, how many, how.
    folder : Path
        Made if need be; one that holds an acquisition by the same plan is gone on with.
    find : callable, optional
        What focuses each field; otherwise a sweep over ``plan.find_range_um``.
    keep : callable, optional
        Told the record however the run ends.

    Yields
    ------
    AcquireStep
        After each frame and each field.

    Returns
    -------
    AcquisitionResult

    Raises
    ------
    InputError
        If the folder holds an acquisition by another plan, or cannot be written (the disk is full, for instance): slide
        and drive are back, finished stacks stay.
    HardwareError
        If not even the positions at the start can be read. Nothing has moved.
    """
    book = AcquisitionBook.begin(folder, plan)
    steps = acquire(
        microscope,
        plan.config,
        plan.positions,
        _writer(book, microscope.focus.focus_direction or plan.focus_direction),
        find=find or sweep_finder(plan),
        wanted=book.left,
        done=book.settled,
        dof_um=plan.dof_um,
        keep=keep,
    )

    def entered(step: AcquireStep) -> AcquireStep:
        if step.result is not None:
            book.enter(step.result)
        return step

    record = yield from relay(steps, entered)
    return AcquisitionResult(folder, book.written, book.skipped, book.fields, record)


def sweep_finder(plan: AcquisitionPlan) -> Finder:
    """A classical sweep, which knows nothing of the optics but the depth of field."""
    finest_um = plan.config.step_um if plan.dof_um is None else plan.dof_um
    config = SweepConfig(
        range_um=plan.find_range_um,
        step_um=min(finest_um, plan.find_range_um / 4),
        dof_um=plan.dof_um,
        same_place_um=plan.config.same_place_um,
    )
    return lambda microscope: sweep(microscope, config)


def model_finder(predictor: FocusPredictor, plan: AcquisitionPlan, *, insist: bool = False) -> Finder:
    """A refocus by a model, which a sweep helps where it cannot tell.

    Parameters
    ----------
    predictor : FocusPredictor
        What reads the frames.
    plan : AcquisitionPlan
        Whose optics the frames have.
    insist : bool
        Use the model for optics that it was not made for.
    """
    dof_um = predictor.card.dof_um
    config = RefocusConfig(
        optics=None if plan.objective is None else ImageOptics(plan.objective),
        insist=insist,
        focus_direction=plan.focus_direction,
        sweep=SweepConfig(range_um=max(plan.find_range_um, dof_um), dof_um=dof_um),
        same_place_um=plan.config.same_place_um,
    )
    return lambda microscope: refocus(microscope, predictor, config)


def _writer(book: AcquisitionBook, focus_direction: int) -> StackWriter:
    """Makes the OME-Zarr of each field."""
    plan = book.plan

    def begin(field: FieldPlan) -> ZarrStackWriter:
        more = {
            "acquisition": book.name,
            "number": field.number,
            "centre_um": field.centre_um,
            "taken_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        facts = StackFacts(plan.objective, plan.pixel_size_um, focus_direction, more)
        return ZarrStackWriter(book.stack_path(field.number), len(field.z_um), facts)

    return begin
