"""The stacks of a calibration: taken at fresh places, labelled by Brenner, replaced where they cannot be trusted."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_autofocus.errors import DriveHalted, HardwareError, InputError
from napari_autofocus.microscope.protocol import SlideMicroscope
from napari_autofocus.models.labelled_stacks import LabelledDataset, read_dataset
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.routines.acquire import Finder
from napari_autofocus.routines.acquire_config import AcquireConfig, AcquireStep
from napari_autofocus.routines.sweep import SweepConfig, sweep
from napari_autofocus.steps import relay
from napari_autofocus.workflows.acquire.book import AcquisitionBook
from napari_autofocus.workflows.acquisition import AcquisitionPlan, AcquisitionResult, acquire_stacks
from napari_autofocus.workflows.calibration.record import STACKS, CalibrationRecord, SetAside
from napari_autofocus.workflows.calibration.stand import Home, Place, field_size_um, fresh_places
from napari_autofocus.workflows.calibration.steps import CalibrationStep, reading_step
from napari_autofocus.workflows.calibration.teaching import settings_of
from napari_autofocus.workflows.calibration_plan import LEAST_STACKS, ROUNDS, CalibrationPlan
from napari_autofocus.workflows.own.stacks import is_usable
from napari_autofocus.workflows.own_plan import reading_of

PLACES_A_STACK = 6
"""So many places are drawn for each stack wanted, for those that turn out to be empty."""
FIND_S = 180.0
"""Time for the sweep that finds a field's focus, s."""
_STREAM = 29

Gathered = Generator[CalibrationStep, None, tuple[LabelledDataset, CalibrationRecord]]


def gather(
    microscope: SlideMicroscope,
    record: CalibrationRecord,
    folder: Path,
    middle: Home,
    base: ModelPredictor | None,
) -> Gathered:
    """Take stacks until as many as wanted can be learned from; those that cannot be trusted stay, and are told.

    Parameters
    ----------
    microscope : SlideMicroscope
        What to look through and what to move.
    record : CalibrationRecord
        With the plan.
    folder : Path
        Of the calibration; stacks that it holds are kept.
    middle : Home
        Places are drawn around it.
    base : ModelPredictor or None
        On whose grid of patches the stacks are measured.

    Returns
    -------
    tuple of LabelledDataset and CalibrationRecord
        All stacks, and the record with the places that gave none.

    Raises
    ------
    InputError
        If too few stacks can be used; the first reason is told.
    HardwareError
        If the microscope fails; DriveHalted if a person halts the drive.
    """
    plan = record.plan
    reading = reading_of(settings_of(plan, record.name), None if base is None else base.package)
    missing, wanted = plan.stacks, 0
    for _ in range(ROUNDS):
        wanted += missing
        taken = yield from _take(microscope, _acquisition(microscope, plan, middle, folder, wanted), plan, folder)
        dataset = yield from relay(read_dataset(folder / STACKS, reading), reading_step)
        missing = plan.stacks - sum(is_usable(stack) for stack in dataset.stacks)
        if missing <= 0 or taken.record.outcome == "done_in_part":
            break
    _check_enough(plan, dataset, folder)
    skipped = [SetAside(f"Place {each.x_um:.0f}, {each.y_um:.0f} µm", each.reason) for each in taken.skipped]
    new = [each for each in skipped if each not in record.passed_over]
    record = replace(record, passed_over=(*new, *record.passed_over))
    record.write(folder)
    return dataset, record


def _acquisition(
    microscope: SlideMicroscope, plan: CalibrationPlan, middle: Home, folder: Path, wanted: int
) -> AcquisitionPlan:
    """Where stacks are taken; the same places each time."""
    before = AcquisitionBook.read(folder / STACKS)
    places = before.plan.positions if before is not None else _places(microscope, plan, middle)
    config = AcquireConfig(range_um=plan.reach_um, step_um=plan.plane_step_um)
    return AcquisitionPlan(
        positions=places,
        wanted=wanted,
        config=config,
        objective=plan.objective,
        pixel_size_um=plan.objective.pixel_size_um,
        focus_direction=plan.focus_direction,
        find_range_um=plan.looking_um,
    )


def _places(microscope: SlideMicroscope, plan: CalibrationPlan, middle: Home) -> tuple[Place, ...]:
    rng = np.random.default_rng([plan.seed, _STREAM])
    count = PLACES_A_STACK * plan.stacks
    apart_um = field_size_um(microscope, plan.objective)
    drawn = fresh_places(middle, plan.area_um, count, apart_um=apart_um, taken=(), rng=rng)
    return tuple((round(x_um, 1), round(y_um, 1)) for x_um, y_um in drawn)


def places_of(stacks: Path) -> list[Place]:
    """Where the stacks of a folder were taken, µm."""
    book = AcquisitionBook.read(stacks)
    return [] if book is None else [(each.x_um, each.y_um) for each in book.fields if each.state == "written"]


def _take(
    microscope: SlideMicroscope, acquisition: AcquisitionPlan, plan: CalibrationPlan, folder: Path
) -> Generator[CalibrationStep, None, AcquisitionResult]:
    steps = acquire_stacks(microscope, acquisition, folder / STACKS, find=_finder(plan))
    result = yield from relay(steps, _told)
    outcome, why = result.record.outcome, " ".join(result.record.reasons)
    if outcome == "cancelled":
        raise DriveHalted(why)
    if outcome in ("failed", "refused", "timed_out"):
        raise HardwareError(why)
    return result


def _finder(plan: CalibrationPlan) -> Finder:
    """A sweep that looks no farther than was promised."""
    reach_um = plan.looking_um
    config = SweepConfig(range_um=reach_um, furthest_um=reach_um, dof_um=plan.dof_um, timeout_s=FIND_S)
    return lambda microscope: sweep(microscope, config)


def _told(step: AcquireStep) -> CalibrationStep:
    done = step.written + (step.plane / step.planes if step.planes else 0.0)
    words = {
        "find": f"Looking for focus at place {step.number + 1}",
        "plane": f"Stack {step.written + 1}: plane {step.plane} of {step.planes}",
        "field": f"Place {step.number + 1} is done",
    }[step.phase]
    if step.result is not None and step.result.state != "written":
        words = f"Place {step.number + 1} gives no stack: {step.result.reason}"
    return CalibrationStep("acquire", done, max(step.wanted, 1), words, step.frame, step)


def _check_enough(plan: CalibrationPlan, dataset: LabelledDataset, folder: Path) -> None:
    usable = sum(is_usable(stack) for stack in dataset.stacks)
    if usable >= min(plan.stacks, max(LEAST_STACKS, plan.folds)):
        return
    reasons = [stack.reason for stack in dataset.skipped] or ["no patch of the others shows focus."]
    raise InputError(
        f"Only {usable} of the {plan.stacks} stacks in {folder / STACKS} can be learned from; go to a part of the slide"
        f" with more content and begin in another folder. The first reason: {reasons[0]}"
    )
