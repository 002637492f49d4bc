"""``napari-autofocus train``: z-stacks of one's own become a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_autofocus.cli.parts.file_options import Optics, StackFiles
from napari_autofocus.cli.parts.output import DONE_IN_PART, print_json, refuse_file, reserved_stdout, say, sentence_of
from napari_autofocus.cli.parts.progress import Advance, follow_reading, progress_bar
from napari_autofocus.cli.parts.spreading import Scheduler, WorkerCount, workers_of
from napari_autofocus.cli.parts.teaching import kept_words, own_settings, ready_to_teach
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.models.teaching import StageProgress
    from napari_autofocus.workflows.own_models import OwnMade, OwnModel
    from napari_autofocus.workflows.own_plan import OwnSettings
    from napari_autofocus.workflows.spread import Workers

OUTPUT = "Output"
TEACHING = "How the model is taught"


def train(
    dataset: Annotated[Path, typer.Argument(help="Folder of z-stacks, with labels or without.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Model to write, a zip file.", rich_help_panel=OUTPUT, show_default=False)],
    *,
    base: Annotated[
        str | None,
        typer.Option(
            help="Model to begin with: its name (see the command models), or its file; one of two shots learns from"
            " planes as far apart as its shots, and one that refocuses virtually (tsva-20x) from planes either side of"
            " focus. Without it, begin anew, with one shot unless --kind says otherwise.",
            rich_help_panel=TEACHING,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="What to teach without --base: one-shot, or virtual (the image in focus from two shots).",
            rich_help_panel=TEACHING,
        ),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(
            help="Time to teach; reading the stacks and measuring the model come on top.", rich_help_panel=TEACHING
        ),
    ] = 5.0,
    range_um: Annotated[
        float | None,
        typer.Option(
            "--range-um",
            help="The model is to answer within plus or minus this defocus, in µm; otherwise as far as planes reach. Of"
            " virtual refocusing: shots lie no farther than this to either side.",
            rich_help_panel=TEACHING,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Decides which stacks are held out, and more.", rich_help_panel=TEACHING)
    ] = 0,
    settings_file: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            help="File of the command tune: teach the second stage as was found there, without --base or with the base"
            " that was tuned.",
            rich_help_panel=TEACHING,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="What to train on, as torch names it: cpu, cuda, mps.", rich_help_panel=TEACHING)
    ] = "cpu",
    work: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps data and checkpoints: the same command then goes on where it was stopped.",
            rich_help_panel=TEACHING,
        ),
    ] = None,
    optics: Optics,
    files: StackFiles,
    name: Annotated[
        str | None, typer.Option(help="Name of the model; that of its file unless given.", rich_help_panel=OUTPUT)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Folder for the figures on held-out stacks, as JSON and PNG.", rich_help_panel=OUTPUT),
    ] = None,
    scheduler: Scheduler = None,
    workers: WorkerCount = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of sentences.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Make a model of one's own z-stacks: a new one, or one that is shipped, fitted to one's own microscope.

    Best focus comes from a label store or a table labels.csv (columns path, best_z_um; also slide, stain and density,
    if known) beside the stacks; what has no label is labelled by Brenner first. Whole slides are held out to calibrate
    the model and to measure it; the figures told are of those. At least three stacks are needed, two for virtual
    refocusing.

    Examples:

        napari-autofocus train stacks/ --base brightfield-20x --minutes 3 --out mine.zip
        napari-autofocus train stacks/ --base tsva-20x --minutes 10 --out refocuser.zip
        napari-autofocus train stacks/ --minutes 120 --work training --out mine.zip --report figures
        torchrun --nproc-per-node 4 -m napari_autofocus train stacks/ --device cuda --work training --out mine.zip
    """
    from napari_autofocus.models.extras import require_training

    who = workers_of(scheduler, workers)
    with reserved_stdout(as_json):
        ready_to_teach(require_training)
        settings = own_settings(
            optics, files, minutes=minutes, base=base, kind=kind, name=name, range_um=range_um, seed=seed, device=device
        )
        if settings_file is not None:
            settings = _with_found(settings, settings_file)
        refuse_file(report, "report")
        made = _run(dataset, out, settings, work, who)
        if made is None:  # another process of this training writes the model and tells of it
            return
        if report is not None:
            _write_report(report, made)
        if as_json:
            print_json(made.to_json())
    if not as_json:
        print("\n".join(_sentences(made)))
    for note in made.notes:
        say(note)
    for stack in made.held_out.unreadable:
        say(f"Error: {sentence_of(stack)}")
    if made.held_out.unreadable:
        raise typer.Exit(DONE_IN_PART)


def _with_found(settings: OwnSettings, file: Path) -> OwnSettings:
    from napari_autofocus.workflows.tuning_found import read_found

    return replace(settings, found=read_found(file))


def _run(dataset: Path, out: Path, settings: OwnSettings, work: Path | None, who: Workers) -> OwnMade | None:
    from napari_autofocus.models.learning.distributed import PartDone, joined
    from napari_autofocus.workflows.own_models import train_own
    from napari_autofocus.workflows.spreading.measuring import dataset_measurer

    measure = dataset_measurer(dataset, who)
    try:
        with joined(settings.device), progress_bar("reading") as advance:
            making = train_own(dataset, out, settings, work=work, measure=measure)
            return run_to_end(making, lambda step: _follow(step, advance))
    except PartDone:
        return None
    except KeyboardInterrupt:
        say(kept_words(work, out))
        raise


def _follow(step: object, advance: Advance) -> None:
    from napari_autofocus.models.refocus.dataset import PairJudged
    from napari_autofocus.models.teaching import FrameSeen, StageProgress

    if follow_reading(step, advance):
        return
    if isinstance(step, StageProgress):
        at = step.progress
        error = f", {_score(step)}" if at.figures else ""
        seconds = round(at.seconds), round(at.seconds + at.seconds_left)
        advance(*seconds, f"teaching {step.stage} (s): loss {at.loss:.3f}{error}")
    elif isinstance(step, FrameSeen):
        advance(step.done, step.total or step.done, step.purpose)
    elif isinstance(step, PairJudged):
        advance(step.pair, step.pairs, "evaluating")


def _score(step: StageProgress) -> str:
    """What the last validation found, by what is taught."""
    figures = step.progress.figures
    if step.stage == "refocus":
        return f"{figures['gain_db']:+.2f} dB over the sharper shot"
    return f"error {figures['score']:.3f}{' µm' * (step.stage == 'defocus')}"


def _write_report(folder: Path, made: OwnMade) -> None:
    from napari_autofocus.workflows.own.report import write_own_report

    write_own_report(made, folder)


def _sentences(made: OwnMade) -> list[str]:
    """The file, and how good the model is."""
    from napari_autofocus.cli.parts.refocuser_words import figures_words, optics_words
    from napari_autofocus.workflows.own_models import OwnRefocuser

    if isinstance(made, OwnRefocuser):
        return [f"{made.package.path}: {optics_words(made.package.card)}.", *figures_words(made.held_out)]
    return _defocus_sentences(made)


def _defocus_sentences(made: OwnModel) -> list[str]:
    card, told = made.package.card, made.held_out.to_json()
    optics = f"{card.optics.objective.name} at {card.optics.pixel_size_um:.4g} µm a pixel"
    lines = [f"{made.package.path}: model {card.name} for {optics}, within ±{card.range_um:g} µm."]
    if told["mae_um"] is None:
        return [*lines, f"It answered none of the {told['fields']} frames held out: teach it longer, or add stacks."]
    shares = {
        "of the answers within half a depth of field": told["within_half_dof"],
        "with the right direction": told["direction_success"],
        "inside their 90 % interval": told["interval90_coverage"],
        "of the frames refused": told["refused"]["all"],
    }
    listed = ", ".join(f"{100 * share:.0f} % {what}" for what, share in shares.items() if share is not None)
    return [*lines, f"Mean error {told['mae_um']:.2f} µm; {listed}."]
