"""``napari-autofocus evaluate``: how good a model is on stacks whose focus is known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.image_options import parse_channel
from napari_autofocus.cli.output import DONE_IN_PART, print_json, reserved_stdout, say
from napari_autofocus.cli.progress import Advance, progress_bar, run_to_end
from napari_autofocus.cli.spreading import Scheduler, WorkerCount, workers_of
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.models.dataset_evaluation import DatasetEvaluation, EvaluationSettings
    from napari_autofocus.models.refocus_dataset import RefocusEvaluation
    from napari_autofocus.workflows.spread import Workers

WIDTH_IN_A_PIPE = 160
OUTPUT = "Output"
OPTICS = "How the frames were taken"
FILES = "What files may not say"


def evaluate(
    model: Annotated[
        str, typer.Argument(help="Name of a model (see the command models), or its file.", show_default=False)
    ],
    dataset: Annotated[Path, typer.Argument(help="Folder of z-stacks, with labels or without.", show_default=False)],
    objective: Annotated[
        str | None,
        typer.Option(help="Magnification and NA, as in 20x/0.75, instead of the files'.", rich_help_panel=OPTICS),
    ] = None,
    pixel_um: Annotated[
        float | None,
        typer.Option(
            "--pixel-um", help="Size of a pixel in the sample, in µm, instead of the files'.", rich_help_panel=OPTICS
        ),
    ] = None,
    insist: Annotated[
        bool,
        typer.Option(
            "--insist", help="Evaluate although the optics are unknown or not the model's.", rich_help_panel=OPTICS
        ),
    ] = False,
    step_um: Annotated[
        float | None, typer.Option("--step-um", help="Distance of neighbouring planes, in µm.", rich_help_panel=FILES)
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="Which channel to use: its name, or its number from 0.", rich_help_panel=FILES)
    ] = None,
    focus_direction: Annotated[
        int | None,
        typer.Option(
            help="+1: a growing z brings sample and objective together; -1: it moves them apart.",
            rich_help_panel=FILES,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report: figures as JSON and PNG.", rich_help_panel=OUTPUT),
    ] = None,
    scheduler: Scheduler = None,
    workers: WorkerCount = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Compare what a model says about single frames, or about two shots, with where stacks are in focus.

    Each plane of each stack within the model's range is one frame; for a model of two shots it is the second one, and
    the plane nearest to the model's distance below it is the first. Best focus comes from a label store or a table
    labels.csv (columns path, best_z_um; also slide, stain and density, if known) beside the stacks; what has no label
    is labelled by Brenner first. Stacks whose focus cannot be trusted are left out and counted. Accuracy is counted
    over the frames with an answer, refusals apart.

    A model that refocuses virtually is given pairs of planes either side of focus, and what it recovers is compared
    with the plane in focus: dB over the sharper of the two, by half their distance.

    Examples:

        napari-autofocus evaluate brightfield-20x slides/ --out report
        napari-autofocus evaluate two-shot-20x slides/
        napari-autofocus evaluate tsva-20x slides/ --json
        napari-autofocus evaluate brightfield-20x /server/slides --scheduler tcp://head:8786
        napari-autofocus evaluate mine.zip slides/ --objective 20x/0.75 --pixel-um 0.33 --json
    """
    who = workers_of(scheduler, workers)
    settings = _settings(objective, pixel_um, insist, step_um, channel, focus_direction)
    with reserved_stdout(as_json):
        _check_out(out)
        found = _run(model, dataset, settings, who)
        if out is not None:
            _write_report(out, found)
        if as_json:
            print_json(found.to_json())
    if not as_json:
        _print(found)
    for sentence in [*found.notes(), *found.warnings]:
        say(sentence)
    for stack in found.unreadable:
        say(f"Error: {stack.reason if stack.path in stack.reason else f'{stack.path}: {stack.reason}'}")
    if found.unreadable:
        raise typer.Exit(DONE_IN_PART)


def _settings(
    objective: str | None,
    pixel_um: float | None,
    insist: bool,
    step_um: float | None,
    channel: str | None,
    focus_direction: int | None,
) -> EvaluationSettings:
    from napari_autofocus.models.dataset_evaluation import EvaluationSettings
    from napari_autofocus.models.labelled_stacks import ReadingSettings
    from napari_autofocus.optics import Objective

    reading = ReadingSettings(
        step_um=step_um,
        channel=parse_channel(channel),
        focus_direction=focus_direction,
    )
    lens = Objective.parse(objective) if objective is not None else None
    return EvaluationSettings(reading, lens=lens, pixel_size_um=pixel_um, insist=insist)


def _check_out(out: Path | None) -> None:
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file, not a folder; name a folder for the report.")


def _run(
    model: str, dataset: Path, settings: EvaluationSettings, workers: Workers
) -> DatasetEvaluation | RefocusEvaluation:
    if _recovers_images(model):
        return _run_refocuser(model, dataset, settings, workers)
    from napari_autofocus.models.dataset_evaluation import evaluate_dataset
    from napari_autofocus.models.pair_predictor import load_focus_model
    from napari_autofocus.workflows.spread_evaluating import spread_judge
    from napari_autofocus.workflows.spread_measuring import dataset_measurer

    predictor = load_focus_model(model)
    measure, judge = dataset_measurer(dataset, workers), spread_judge(model, predictor, workers)
    work = evaluate_dataset(predictor, dataset, settings, measure=measure, judge=judge)
    with progress_bar("evaluating") as advance:
        return run_to_end(work, lambda step: _follow(step, advance))


def _recovers_images(model: str) -> bool:
    """Whether a model is a virtual refocuser; what is no model at all is told by whoever opens it."""
    from napari_autofocus.models.library import find_model
    from napari_autofocus.models.package import kind_of_package

    try:
        return kind_of_package(find_model(model)) == "virtual"
    except InputError:
        return False


def _run_refocuser(model: str, dataset: Path, settings: EvaluationSettings, workers: Workers) -> RefocusEvaluation:
    from napari_autofocus.models.refocus_dataset import evaluate_refocuser
    from napari_autofocus.models.refocuser import load_refocuser
    from napari_autofocus.workflows.spread_measuring import dataset_measurer

    work = evaluate_refocuser(load_refocuser(model), dataset, settings, measure=dataset_measurer(dataset, workers))
    with progress_bar("evaluating") as advance:
        return run_to_end(work, lambda step: _follow(step, advance))


def _follow(step: object, advance: Advance) -> None:
    from napari_autofocus.models.dataset_evaluation import FrameJudged
    from napari_autofocus.models.labelled_stacks import PlaneRead
    from napari_autofocus.models.refocus_dataset import PairJudged

    if isinstance(step, PlaneRead):
        done = (step.stack - 1) * step.planes + step.plane
        advance(done, step.stacks * step.planes, f"labelling {Path(step.path).name}")
    elif isinstance(step, FrameJudged):
        advance(step.frame, step.frames, Path(step.path).name)
    elif isinstance(step, PairJudged):
        advance(step.pair, step.pairs, Path(step.path).name)


def _write_report(out: Path, found: DatasetEvaluation | RefocusEvaluation) -> None:
    from napari_autofocus.models.refocus_dataset import RefocusEvaluation
    from napari_autofocus.workflows.evaluation_report import save_evaluation_report
    from napari_autofocus.workflows.refocus_report import save_refocus_report

    found.write(out)
    if isinstance(found, RefocusEvaluation):
        save_refocus_report(found, out)
    else:
        save_evaluation_report(found.evaluation, out)


def _print(found: DatasetEvaluation | RefocusEvaluation) -> None:
    from napari_autofocus.cli.refocuser_words import print_gains
    from napari_autofocus.models.refocus_dataset import RefocusEvaluation

    if isinstance(found, RefocusEvaluation):
        print_gains(found)
    else:
        _print_table(found)


def _print_table(found: DatasetEvaluation) -> None:
    from rich.console import Console
    from rich.table import Table

    from napari_autofocus.models.metrics import UNKNOWN

    told = found.to_json()
    groups = [*told["by_density"].items(), *told["by_stain"].items()]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("frames of")
    for heading in _COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in [("all stacks", told), *(group for group in groups if group[0] != UNKNOWN)]:
        table.add_row(name, *(_cell(row, key) for key in _COLUMNS.values()))
    Console(width=None if sys.stdout.isatty() else WIDTH_IN_A_PIPE).print(table)


_COLUMNS = {
    "number": "fields",
    "MAE, µm": "mae_um",
    "MAE/DOF": "mae_dof",
    "in DOF/2": "within_half_dof",
    "in DOF": "within_dof",
    "direction": "direction_success",
    "90 % interval": "interval90_coverage",
    "refused": "refused",
}
_LENGTHS = ("mae_um", "mae_dof")


def _cell(row: dict[str, Any], key: str) -> str:
    value = row[key]["all"] if key == "refused" else row[key]
    if value is None:
        return "none"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if key in _LENGTHS else f"{100 * value:.1f} %"
