"""``napari-autofocus calibrate``: a model for one microscope, made, proved and judged there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.calibrate_stand import Faults, calibrating_microscope, undertake
from napari_autofocus.cli.parts.output import DONE_IN_PART, print_json, reserved_stdout, say
from napari_autofocus.cli.parts.progress import Advance, progress_bar
from napari_autofocus.cli.parts.stand import SimulatedSlide, Stand
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

USUAL_BASE = "brightfield-20x"

if TYPE_CHECKING:
    from napari_autofocus.microscope.protocol import SlideMicroscope
    from napari_autofocus.workflows.calibration.record import CalibrationRecord
    from napari_autofocus.workflows.calibration.steps import CalibrationStep
    from napari_autofocus.workflows.calibration_plan import CalibrationPlan

OUTPUT = "Output"
STACKS = "Stacks"
TEACHING = "How the model is taught and proved"
SCRATCH = "none"
FOLDER_SUFFIX = ".calibration"


def calibrate(
    out: Annotated[
        Path | None,
        typer.Option(help="Model to write, a zip file, if it is to be trusted.", rich_help_panel=OUTPUT),
    ] = None,
    *,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps stacks, training, record and report: the same command goes on from it. Beside the"
            f" model, ending in {FOLDER_SUFFIX}, unless given.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    undo: Annotated[
        Path | None,
        typer.Option(
            help="Put the model of the calibration in this folder away again; what stood in its place comes back.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    stacks: Annotated[int, typer.Option(help="Z-stacks to learn from and to measure on.", rich_help_panel=STACKS)] = 8,
    range_um: Annotated[
        float | None,
        typer.Option(
            "--range-um",
            help="The model is to answer within plus or minus this defocus, in µm; ten depths of field unless given.",
            rich_help_panel=STACKS,
        ),
    ] = None,
    step_um: Annotated[
        float | None,
        typer.Option(
            "--step-um",
            help="Distance of the planes, in µm; half a depth of field unless given.",
            rich_help_panel=STACKS,
        ),
    ] = None,
    area_um: Annotated[
        float,
        typer.Option(
            "--area-um",
            help="Fields are taken within plus or minus this of the stage's place, in µm.",
            rich_help_panel=STACKS,
        ),
    ] = 2000.0,
    minutes: Annotated[
        float,
        typer.Option(help="Time to teach; each fold takes as long again.", rich_help_panel=TEACHING),
    ] = 3.0,
    folds: Annotated[
        int,
        typer.Option(
            help="Models taught without some of the stacks, to measure on these; 0: none.", rich_help_panel=TEACHING
        ),
    ] = 3,
    proofs: Annotated[
        int, typer.Option(help="Live runs against a Brenner sweep in the end.", rich_help_panel=TEACHING)
    ] = 10,
    base: Annotated[
        str | None,
        typer.Option(
            help=f"Model to begin with, its name or file; {SCRATCH}: begin anew. brightfield-20x unless given, and the"
            " model nearest to camera and sample where the microscope is simulated.",
            rich_help_panel=TEACHING,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="What to train on, as torch names it: cpu, cuda, mps.", rich_help_panel=TEACHING)
    ] = "cpu",
    stand: Stand,
    faults: Faults,
    slide: SimulatedSlide,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of sentences.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Calibrate a model to one microscope: take stacks, teach, prove it live, and say whether to trust it.

    Stand roughly in focus on a part of the slide with content around it. Stacks are taken, labelled by Brenner, and
    learned from; each is held out once to measure the error; and live runs from random defocus are compared with
    Brenner sweeps. Stage and drive go home in the end. The report is calibration.html in the folder of the calibration.
    A model that is not to be trusted is not written; exit code 3 then. A calibration that was stopped goes on when
    the same command is given again.

    Examples:

        napari-autofocus calibrate --out mine.zip --stacks 8 --minutes 3 --spherical-waves -0.4
        napari-autofocus calibrate --microscope MMConfig.cfg --objective 40x/0.95 --out mine.zip
        napari-autofocus calibrate --undo mine.calibration
    """
    with reserved_stdout(as_json):
        if undo is not None:
            _undo(undo, as_json)
            return
        if out is None:
            raise InputError("Name the model to write, a zip file, as in --out mine.zip.")
        from napari_autofocus.models.extras import require_training

        require_training()
        folder = report if report is not None else out.with_name(out.stem + FOLDER_SUFFIX)
        plan: dict[str, Any] = {
            "stacks": stacks,
            "range_um": range_um,
            "step_um": step_um,
            "minutes": minutes,
            "folds": folds,
            "proofs": proofs,
            "base": _base(base, stand, slide),
            "area_um": area_um,
            "focus_direction": stand.focus_direction or 0,
            "seed": stand.seed,
            "device": device,
        }
        with calibrating_microscope(stand, slide, faults, plan) as (seen, asked):
            undertake(seen, asked, folder, stand)
            record = _run(seen, asked, folder, out)
        _tell(record, folder, as_json)
    if record.installed is None:
        raise typer.Exit(DONE_IN_PART)


def _base(name: str | None, stand: Stand, slide: SimulatedSlide) -> str | None:
    """The model to begin with; None to begin anew."""
    if name is not None:
        return None if name == SCRATCH else name
    if not stand.is_simulated:
        return USUAL_BASE
    from napari_autofocus.cli.parts.fitting import nearest_model, simulated_sight

    return nearest_model(simulated_sight(stand, slide.stain, slide.camera)) or USUAL_BASE


def _run(microscope: SlideMicroscope, plan: CalibrationPlan, folder: Path, out: Path) -> CalibrationRecord:
    from napari_autofocus.workflows.calibrate import calibrate as run

    try:
        with progress_bar("calibrating") as advance:
            return run_to_end(run(microscope, plan, folder, out), lambda step: _follow(step, advance))
    except KeyboardInterrupt:
        say(f"What was done is kept in {folder}; the same command goes on from there. Stage and drive are home.")
        raise


def _follow(step: CalibrationStep, advance: Advance) -> None:
    from napari_autofocus.workflows.calibration.steps import PHASES

    advance(round(step.done), round(step.total), f"{PHASES[step.phase]}: {step.words}"[:110])


def _tell(record: CalibrationRecord, folder: Path, as_json: bool) -> None:
    from napari_autofocus.workflows.calibration.report import REPORT
    from napari_autofocus.workflows.calibration.words import json_of

    page = folder / REPORT
    if as_json:
        print_json({**json_of(record), "folder": str(folder), "report": str(page)})
        return
    assert record.verdict is not None
    print(record.verdict.sentence)
    print("\n".join(f"  {reason}" for reason in record.verdict.reasons))
    print(f"The report is {page}.")
    if record.installed is not None:
        print(f"The model is {record.installed.target}; to undo: napari-autofocus calibrate --undo {folder}")


def _undo(folder: Path, as_json: bool) -> None:
    from napari_autofocus.workflows.calibration_undo import undo_calibration

    put = undo_calibration(folder).installed
    assert put is not None  # refused otherwise
    if as_json:
        print_json({"model": None, "undone": put.target, "former": put.target if put.former is not None else None})
        return
    back = "the model that stood there before is back" if put.former is not None else "nothing stood there before"
    print(f"{put.target} was taken away; {back}. The calibrated model is still in {folder}.")
