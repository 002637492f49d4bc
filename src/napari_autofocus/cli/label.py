"""``napari-autofocus label``: best focus of z-stacks that anybody made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.file_options import StackFiles
from napari_autofocus.cli.parts.output import (
    BAD_INPUT,
    DONE_IN_PART,
    print_json,
    print_table,
    refuse_file,
    reserved_stdout,
    say,
    sentence_of,
)
from napari_autofocus.cli.parts.progress import Advance, progress_bar
from napari_autofocus.cli.parts.spreading import WORKERS, Scheduler, WorkerCount, workers_of
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.workflows.batch import BatchResult, LabelSettings
    from napari_autofocus.workflows.spread import Workers

OUTPUT = "Output"
JUDGING = "How stacks are judged"


def label(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Z-stack files, folders of planes, or folders that contain stacks.", show_default=False),
    ],
    *,
    files: StackFiles,
    polarity: Annotated[
        str,
        typer.Option(
            help="max: focus is where sharpness is greatest; min: where it is least (transparent specimens); auto:"
            " by the shape of the curve.",
            rich_help_panel=JUDGING,
        ),
    ] = "auto",
    measure: Annotated[str, typer.Option(help="Sharpness measure.", rich_help_panel=JUDGING)] = "brenner",
    patch_px: Annotated[
        int | None, typer.Option("--patch-px", help="Side of a patch, in pixels.", rich_help_panel=JUDGING)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Table to write (.csv or .parquet): a row a stack, a row a patch.", rich_help_panel=OUTPUT),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a picture of each stack: focus curve, patches, sharpest plane.", rich_help_panel=OUTPUT
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Label store to add Brenner's labels to, above the stacks; people's labels in it go before them.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    scheduler: Scheduler = None,
    workers: WorkerCount = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Measure also what was measured before and is kept.", rich_help_panel=WORKERS),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object instead of the overview.", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Find the best focus of z-stacks: for the field and for each patch, and how far to trust it.

    Reads OME-TIFF, TIFF, OME-Zarr, Micro-Manager data sets and folders of planes. The z of each plane comes from the
    file, from file names such as z-010.2260um.tiff, or from a table z_um.csv beside the planes; otherwise give
    --step-um, in µm. One bad stack does not stop the others (exit code 3); if all are bad the exit code is 2.

    What is found in a stack is kept beside it, in the folder .napari-autofocus, the moment it is there: the same
    command goes on where it was stopped, and measures only what is new or has changed.

    Examples:

        napari-autofocus label stacks/ --out labels.csv --plot curves
        napari-autofocus label yeast.tif --step-um 0.3 --json
        napari-autofocus label /server/stacks --scheduler tcp://head:8786 --store /server/stacks/labels.db
    """
    spreading = Spreading(workers_of(scheduler, workers), again)
    settings = _settings(files, polarity, measure, patch_px)
    with reserved_stdout(as_json):
        _check_outputs(out, plot)
        result = _run(paths, settings, plot, spreading)
        if result.labelled and out is not None:
            _write_table(out, result)
        if result.labelled and store is not None:
            _add_to_store(store, result)
        if as_json:
            print_json(_as_dictionary(result))
    if not as_json:
        _print_overview(result)
    for note in result.notes:
        say(note)
    for failure in result.failed:
        say(f"Error: {sentence_of(failure)}")
    if result.failed:
        raise typer.Exit(DONE_IN_PART if result.labelled else BAD_INPUT)


def _settings(files: StackFiles, polarity: str, measure: str, patch_px: int | None) -> LabelSettings:
    from napari_autofocus.focus.zstack import FocusSettings
    from napari_autofocus.workflows.batch import LabelSettings

    if polarity not in ("auto", "max", "min"):
        raise InputError(f"The polarity is auto, max or min; found {polarity!r}.")
    return LabelSettings(
        FocusSettings(polarity=polarity, measure=measure, patch_px=patch_px),  # type: ignore[arg-type]
        **files.told(),
    )


def _check_outputs(out: Path | None, plot: Path | None) -> None:
    """Refuse outputs that could not be written before any stack is measured."""
    from napari_autofocus.workflows.reports.tables import check_table_path

    if out is not None:
        check_table_path(out)
    refuse_file(plot, "pictures")


@dataclass(frozen=True)
class Spreading:
    """Who measures, and whether also what was measured before."""

    workers: Workers
    again: bool


def _run(paths: list[Path], settings: LabelSettings, plot: Path | None, spreading: Spreading) -> BatchResult:
    from napari_autofocus.workflows.batch import label_stacks

    work = label_stacks(paths, settings, workers=spreading.workers, keep=True, again=spreading.again)
    pictures: set[str] = set()
    with progress_bar("labelling") as advance:
        return run_to_end(work, lambda step: _follow(step, advance, plot, pictures))


def _follow(step: object, advance: Advance, plot: Path | None, pictures: set[str]) -> None:
    """Move the bar, and draw a stack as soon as it is measured."""
    from napari_autofocus.workflows.batch import PlaneMeasured, StackLabelled

    if isinstance(step, PlaneMeasured):
        done = (step.stack - 1) * step.planes + step.plane
        advance(done, step.stacks * step.planes, Path(step.path).name)
    elif isinstance(step, StackLabelled) and plot is not None:
        from napari_autofocus.workflows.report import save_report

        pictures.add(save_report(step.path, step.stack, step.focus, plot, pictures).name)


def _write_table(out: Path, result: BatchResult) -> None:
    from napari_autofocus.workflows.reports.tables import failed_row, rows_of, write_table

    rows = [row for path, focus in result.labelled for row in rows_of(path, focus)]
    write_table(out, rows + [failed_row(failure.path, failure.reason) for failure in result.failed])


def _add_to_store(store: Path, result: BatchResult) -> None:
    from napari_autofocus.workflows.labels.brenner_labels import store_brenner

    new = store_brenner(store, result.labelled)
    say(f"{new} labels of Brenner's are new in {store}.")


def _as_dictionary(result: BatchResult) -> dict[str, Any]:
    from napari_autofocus.workflows.reports.tables import as_dictionary

    return {
        "stacks": [as_dictionary(path, focus) for path, focus in result.labelled],
        "failed": [{"path": failure.path, "reason": failure.reason} for failure in result.failed],
    }


def _print_overview(result: BatchResult) -> None:
    from rich.table import Table

    from napari_autofocus.workflows.reports.tables import VERDICT_WORDS

    if not result.labelled:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("stack", overflow="fold")
    for heading in ("planes", "best z, µm"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("trusted", "patches", "what the curve shows"):
        table.add_column(heading)
    names = _short_names([path for path, _ in result.labelled])
    for name, (_, focus) in zip(names, result.labelled, strict=True):
        table.add_row(
            name,
            str(focus.planes),
            _with_uncertainty(focus.field.best_z_um, focus.field.uncertainty_um),
            "[green]yes[/green]" if focus.field.trusted else "[yellow]no[/yellow]",
            f"{len(focus.trusted_patches)} of {len(focus.patches)}",
            VERDICT_WORDS[focus.field.verdict],
        )
    print_table(table)


def _short_names(paths: list[str]) -> list[str]:
    """The paths without the folder they share."""
    shared = Path(os.path.commonpath([Path(path).parent for path in paths]))
    return [str(Path(path).relative_to(shared)) for path in paths]


def _with_uncertainty(z_um: float | None, uncertainty_um: float | None) -> str:
    if z_um is None:
        return "none"
    return f"{z_um:.3f}" if uncertainty_um is None else f"{z_um:.3f} ± {uncertainty_um:.3f}"
