"""``napari-autofocus acquire``: z-stacks at many places of a slide, from a simulated or a real microscope."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.options import LensFile
from napari_autofocus.cli.parts.output import DONE_IN_PART, print_json, reserved_stdout, say
from napari_autofocus.cli.parts.progress import Advance, progress_bar
from napari_autofocus.cli.parts.stand import (
    DEFAULT_RANGE_UM,
    SimulatedSlide,
    Stand,
    Truth,
    ask_to_move,
    drive_words,
    lens_of,
    slide_microscope,
    stage_words,
    usual_range_um,
)
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.routines.acquire import Finder
    from napari_autofocus.routines.acquire_config import AcquireStep, FieldResult
    from napari_autofocus.workflows.acquisition import AcquisitionPlan, AcquisitionResult

STACKS = "Stacks"
SWEEP, HERE = "sweep", "here"
_ROOM_UM = 5.0
_UNKNOWN_DIRECTION = (
    "The drive does not tell which way it focuses, so the stacks cannot say either; give --focus-direction before you"
    " train on them."
)


def acquire(
    out: Annotated[
        Path, typer.Option(help="Folder for the stacks; one that was begun by the same plan is gone on with.")
    ],
    *,
    positions: Annotated[
        str | None,
        typer.Option(
            help="grid:3x3@200 (columns x rows @ spacing in µm), random:8 (so many stacks; random:8@2000 from a square"
            " of that side in µm, 4000 unless given), both around where the stage stands; here; or a position list"
            " (.pos, .csv, .yaml, .json). Left out: as the folder's own plan says.",
            rich_help_panel=STACKS,
        ),
    ] = None,
    range_um: Annotated[
        float | None,
        typer.Option(
            "--range-um",
            help="Planes reach from minus to plus this around the field's focus, in µm; 10 unless given.",
            rich_help_panel=STACKS,
        ),
    ] = None,
    step_um: Annotated[
        float, typer.Option("--step-um", help="Distance of the planes, in µm.", rich_help_panel=STACKS)
    ] = 0.5,
    start_offsets: Annotated[
        bool,
        typer.Option(
            "--start-offsets/--no-start-offsets",
            help="Shift the planes of successive stacks by -1/3, 0 and +1/3 step, for more different defocus values.",
            rich_help_panel=STACKS,
        ),
    ] = True,
    focus: Annotated[
        str,
        typer.Option(
            help="What finds each field's focus: sweep, or the name or file of a model; here: nothing does, and all"
            " planes lie around where the drive stands.",
            rich_help_panel=STACKS,
        ),
    ] = SWEEP,
    find_range_um: Annotated[
        float | None,
        typer.Option(
            "--find-range-um",
            help="How far a sweep looks for focus, in µm; 10, or 3.6 depths of field where that is more.",
            rich_help_panel=STACKS,
        ),
    ] = None,
    keep_empty: Annotated[
        bool,
        typer.Option("--keep-empty", help="Keep stacks of fields in which nothing changes.", rich_help_panel=STACKS),
    ] = False,
    stand: Stand,
    tunable_lens: LensFile = None,
    slide: SimulatedSlide,
    as_json: Annotated[
        bool,
        typer.Option("--json", help='Print one JSON object: {"written": \\[...], "skipped": \\[...], "outcome", ...}.'),
    ] = False,
) -> None:
    """Take z-stacks at many places of a slide, one OME-Zarr a field, with their optics and the z of every plane.

    Each field is focused first; fields in which nothing changes with focus are left out, and at random places others
    are tried instead. Slide and drive end where they began, whatever happens. A run that was stopped goes on when it
    is started again with the same folder.

    Exit code 3: fewer stacks than wanted, and why.

    Examples:

        napari-autofocus acquire --positions random:8 --range-um 10 --step-um 0.5 --out stacks
        napari-autofocus acquire --microscope my.cfg --objective 20x/0.75 --limits-um 0 90 --positions here --out stacks
    """
    with reserved_stdout(as_json):
        lens = lens_of(stand)
        find_um = usual_range_um(lens, find_range_um)
        around_um = None if range_um is None else range_um + find_um + _ROOM_UM
        stand = replace(stand, around_um=around_um, lens=tunable_lens)
        wishes = {
            "positions": positions,
            "range_um": DEFAULT_RANGE_UM if range_um is None else range_um,
            "step_um": step_um,
            "start_offsets": start_offsets,
            "focus": focus,
            "find_range_um": find_um,
            "keep_empty": keep_empty,
            "lens": lens,
        }
        with slide_microscope(stand, slide, lens) as (seen, truth):
            plan = _plan(seen, stand, out, wishes)
            ask_to_move(stand, _what_moves(seen, plan))
            if not (seen.focus.focus_direction or plan.focus_direction):
                say(_UNKNOWN_DIRECTION)
            result = _take(seen, plan, out)
        _tell(result, truth, as_json)
    if result.record.outcome != "done":
        raise typer.Exit(DONE_IN_PART)


def _plan(microscope: CoreMicroscope, stand: Stand, out: Path, wishes: dict[str, Any]) -> AcquisitionPlan:
    """What was asked for; without positions, what the folder was begun with."""
    import numpy as np

    from napari_autofocus.routines.acquire_config import AcquireConfig
    from napari_autofocus.workflows.acquire.book import AcquisitionBook
    from napari_autofocus.workflows.acquire.positions import SPELLINGS, parse_positions
    from napari_autofocus.workflows.acquisition import AcquisitionPlan

    if wishes["positions"] is None:
        book = AcquisitionBook.read(out)
        if book is None:
            raise InputError(
                f"{out} holds no acquisition to go on with; say where to acquire: --positions {SPELLINGS}."
            )
        return book.plan
    rng = np.random.default_rng([stand.seed, 5])
    stages = microscope.core.getXYStageDevice(), microscope.focus.label
    where = parse_positions(wishes["positions"], microscope.xy_um(), rng, field_um=_field_um(microscope), stages=stages)
    return AcquisitionPlan(
        where.places,
        where.wanted,
        AcquireConfig(
            range_um=wishes["range_um"],
            step_um=wishes["step_um"],
            alternate_starts=wishes["start_offsets"],
            centre="here" if wishes["focus"] == HERE else "find",
            skip_empty=not wishes["keep_empty"],
        ),
        wishes["lens"],
        stand.pixel_um,
        stand.focus_direction or 0,
        wishes["find_range_um"],
        wishes["focus"],
    )


def _what_moves(microscope: CoreMicroscope, plan: AcquisitionPlan) -> str:
    there_is_no_stage = math.isnan(plan.positions[0][0])
    stage = "" if there_is_no_stage else f"; {stage_words(plan.positions)}"
    return f"{drive_words(microscope.focus)}{stage}; stacks: {plan.stacks} of {plan.config.planes} planes."


def _field_um(microscope: CoreMicroscope) -> float:
    """Diagonal of a field, µm; 0 where the microscope does not state the size of its pixels."""
    core = microscope.core
    return math.hypot(core.getImageWidth(), core.getImageHeight()) * float(core.getPixelSizeUm())


def _take(microscope: CoreMicroscope, plan: AcquisitionPlan, out: Path) -> AcquisitionResult:
    from napari_autofocus.workflows.acquisition import acquire_stacks

    steps = acquire_stacks(microscope, plan, out, find=_finder(plan))
    with progress_bar("acquiring") as advance:
        return run_to_end(steps, lambda step: _follow(step, advance))


def _finder(plan: AcquisitionPlan) -> Finder | None:
    if plan.found_by in (SWEEP, HERE):
        return None
    from napari_autofocus.models.predictor import load_model
    from napari_autofocus.workflows.acquisition import model_finder

    return model_finder(load_model(plan.found_by), plan)


def _follow(step: AcquireStep, advance: Advance) -> None:
    what = f"plane {step.plane} of {step.planes}" if step.phase == "plane" else "looking for focus"
    if step.result is not None:
        what = step.result.state.replace("_", " ")
        if step.result.state != "written":
            say(f"Position {step.number + 1}, {what}: {step.result.reason}")
    advance(step.written, step.wanted, f"position {step.number + 1}: {what}")


def _tell(result: AcquisitionResult, truth: Truth, as_json: bool) -> None:
    if not as_json:
        say(" ".join(result.record.reasons))
        for path in result.written:
            typer.echo(path)
        return
    record, described = result.record, [(each, _described(each, result.folder, truth)) for each in result.fields]
    lists = {
        "written": [values for each, values in described if each.state == "written"],
        "skipped": [values for each, values in described if each.state != "written"],
    }
    told = {name: getattr(record, name) for name in ("outcome", "reasons", "frames", "moves", "seconds")}
    print_json({"folder": str(result.folder), **lists, **told})


def _described(field: FieldResult, folder: Path, truth: Truth) -> dict[str, Any]:
    place = {"position": field.number, "x_um": field.x_um, "y_um": field.y_um}
    if field.state != "written":
        return {**place, "why": field.state, "reason": field.reason}
    return {
        "path": str(folder / field.name),
        **place,
        "centre_um": field.centre_um,
        "best_z_um": field.best_z_um,
        "verdict": field.verdict,
        "true_best_z_um": truth(field.x_um, field.y_um),
    }
