"""``napari-autofocus evaluate``: how good a model is on stacks whose focus is known, or on simulated slides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_autofocus.cli.parts.evaluating import print_measured, run_on_folder, run_simulated, write_measured
from napari_autofocus.cli.parts.file_options import OPTICS, Optics, StackFiles
from napari_autofocus.cli.parts.output import DONE_IN_PART, print_json, refuse_file, reserved_stdout, say, sentence_of
from napari_autofocus.cli.parts.simulated_slides import (
    SLIDES,
    CheckedDensities,
    CheckedDraws,
    CheckedFields,
    CheckedSeed,
    CheckedStains,
    Disturb,
    SlideOptions,
    parse_disturbances,
    refuse_with_simulated,
)
from napari_autofocus.cli.parts.spreading import Scheduler, WorkerCount, workers_of

if TYPE_CHECKING:
    from napari_autofocus.cli.parts.evaluating import Measured

OUTPUT = "Output"


def evaluate(
    model: Annotated[
        str, typer.Argument(help="Name of a model (see the command models), or its file.", show_default=False)
    ],
    dataset: Annotated[
        Path | None, typer.Argument(help="Folder of z-stacks, with labels or without.", show_default=False)
    ] = None,
    *,
    optics: Optics,
    insist: Annotated[
        bool,
        typer.Option(
            "--insist", help="Evaluate although the optics are unknown or not the model's.", rich_help_panel=OPTICS
        ),
    ] = False,
    files: StackFiles,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report: figures as JSON and PNG.", rich_help_panel=OUTPUT),
    ] = None,
    disturb: Disturb = None,
    simulated: Annotated[
        bool,
        typer.Option(
            "--simulated", help="Simulate slides that fit the model, instead of a folder.", rich_help_panel=SLIDES
        ),
    ] = False,
    fields: CheckedFields = None,
    draws: CheckedDraws = None,
    seed: CheckedSeed = None,
    stain: CheckedStains = None,
    density: CheckedDensities = None,
    scheduler: Scheduler = None,
    workers: WorkerCount = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Compare what a model says about single frames, or about two shots, with the truth.

    Each plane of each stack within the model's range is one frame; for a model of two shots it is the second one, and
    the plane nearest to the model's distance below it is the first. Best focus comes from a label store or a table
    labels.csv (columns path, best_z_um; also slide, stain and density, if known) beside the stacks; what has no label
    is labelled by Brenner first. Stacks whose focus cannot be trusted are left out and counted. Accuracy is counted
    over the frames with an answer, refusals apart.

    With --simulated no folder is needed: slides that no training has seen are simulated through the optics on the
    model's card, with its stains and a camera like its own, and every frame is drawn at random within its range.

    A model that refocuses virtually is given pairs of planes either side of focus, and what it recovers is compared
    with the plane in focus: dB over the sharper of the two, by half their distance.

    Examples:

        napari-autofocus evaluate brightfield-20x --simulated
        napari-autofocus evaluate brightfield-20x --simulated --disturb jpeg=75 --disturb motion-um=1
        napari-autofocus evaluate brightfield-20x slides/ --out report
        napari-autofocus evaluate two-shot-20x slides/
        napari-autofocus evaluate tsva-20x slides/ --json
        napari-autofocus evaluate brightfield-20x /server/slides --scheduler tcp://head:8786
        napari-autofocus evaluate mine.zip slides/ --objective 20x/0.75 --pixel-um 0.33 --json
    """
    from napari_autofocus.models.dataset_evaluation import EvaluationSettings

    who = workers_of(scheduler, workers)
    slides = SlideOptions(fields, draws, seed, tuple(stain or ()), tuple(density or ()))
    with reserved_stdout(as_json):
        settings = EvaluationSettings(
            files.reading(),
            lens=optics.lens(),
            pixel_size_um=optics.pixel_um,
            insist=insist,
            disturbances=parse_disturbances(disturb),
        )
        refuse_file(out, "report")
        if simulated:
            refuse_with_simulated(dataset, settings.reading)
            found: Measured = run_simulated(model, slides.check_settings(settings), who)
        else:
            found = run_on_folder(model, slides.folder_instead(dataset), settings, who)
        if out is not None:
            write_measured(out, found)
        if as_json:
            print_json(found.to_json())
    if not as_json:
        print_measured(found)
    for sentence in [*found.notes(), *found.warnings]:
        say(sentence)
    for stack in found.unreadable:
        say(f"Error: {sentence_of(stack)}")
    if found.unreadable:
        raise typer.Exit(DONE_IN_PART)
