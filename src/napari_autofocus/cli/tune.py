"""``napari-autofocus tune``: which settings to teach a model with."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.file_options import Optics, StackFiles
from napari_autofocus.cli.parts.output import DONE_IN_PART, print_json, reserved_stdout, say
from napari_autofocus.cli.parts.progress import Advance, follow_reading, progress_bar
from napari_autofocus.cli.parts.teaching import kept_words, own_settings, ready_to_teach
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.workflows.own.settings import OwnSettings
    from napari_autofocus.workflows.tune.plan import TuningSettings
    from napari_autofocus.workflows.tuning_found import Found

SEARCH = "How settings are looked for"
STACKS = "How stacks are read"
MINUTES = 60.0


def tune(
    dataset: Annotated[
        Path,
        typer.Argument(
            help="Folder of z-stacks, as for train; or of training data of simulated slides (shard-0000 and on).",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write, JSON: what train --settings takes.", show_default=False)],
    *,
    population: Annotated[
        int, typer.Option(help="Networks that learn side by side, each its own way.", rich_help_panel=SEARCH)
    ] = 4,
    generations: Annotated[
        int,
        typer.Option(
            help="Parts of a training, after each of which the worst take over from the best.", rich_help_panel=SEARCH
        ),
    ] = 4,
    minutes: Annotated[
        float | None,
        typer.Option(
            help=f"Time for all of it, {MINUTES:g} unless --samples says otherwise; reading stacks and starting Ray"
            " come on top.",
            rich_help_panel=SEARCH,
            show_default=False,
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="Instead: patches that each network is shown in all. The same seed then finds the same settings.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Networks taught at the same time, a processor core each.", rich_help_panel=SEARCH)
    ] = 1,
    seed: Annotated[
        int, typer.Option(help="Of births, variations and which stacks choose.", rich_help_panel=SEARCH)
    ] = 0,
    work: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps everything: the same command then goes on where it was stopped.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="What to train on, as torch names it: cpu, cuda, mps.", rich_help_panel=SEARCH)
    ] = "cpu",
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Of simulated slides: the shipped model whose networks are tuned; that of the folder's name unless"
            " given.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Of stacks: model to begin with, its name or its file.", rich_help_panel=STACKS),
    ] = None,
    range_um: Annotated[
        float | None,
        typer.Option("--range-um", help="Defocus within plus or minus this is learned, in µm.", rich_help_panel=STACKS),
    ] = None,
    optics: Optics,
    files: StackFiles,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of sentences.")] = False,
) -> None:
    """Find out which learning rate, momentum, weight decay, dropout and width teach a model best.

    By population-based training on Ray Tune: several networks learn side by side with settings of their own, and after
    each generation the worst take over weights and settings of the best, and vary the settings. The file holds the
    settings of the best network over its training; it is what train --settings takes. Needs the extra tune
    (pip install 'napari-autofocus\\[tune]'). It takes as long as training so many networks.

    Examples:

        napari-autofocus tune stacks/ --base brightfield-20x --minutes 60 --work tuning --out settings.json
        napari-autofocus train stacks/ --base brightfield-20x --settings settings.json --minutes 10 --out mine.zip
        napari-autofocus tune build/models/brightfield-20x/data --samples 50000 --workers 4 --out settings.json
    """
    from napari_autofocus.models.extras import require_tuning

    ready_to_teach(require_tuning)
    with reserved_stdout(as_json):
        settings = _search(population, generations, minutes, samples, workers, seed)
        own = own_settings(optics, files, base=base, range_um=range_um, seed=seed, device=device)
        _check_out(out)
        found = _run(dataset, out, settings, own, recipe, work)
    if as_json:
        print_json({"settings": str(out), **found.to_json()})
    else:
        print("\n".join(_sentences(out, found)))
    for note in found.notes:
        say(note)
    failed = [member for member in found.population if member.failed]
    for member in failed:
        say(f"Member {member.member} failed: {member.failed}")
    if failed:
        raise typer.Exit(DONE_IN_PART)


def _search(
    population: int, generations: int, minutes: float | None, samples: int | None, workers: int, seed: int
) -> TuningSettings:
    from napari_autofocus.workflows.tune.plan import TuningSettings

    return TuningSettings(
        population=population,
        generations=generations,
        minutes=MINUTES if minutes is None and samples is None else minutes,
        samples=samples,
        workers=workers,
        seed=seed,
    )


def _check_out(out: Path) -> None:
    if out.suffix != ".json":
        raise InputError(f"Settings are a JSON file; name one, such as {out.with_suffix('.json')}, instead of {out}.")
    if not out.parent.is_dir() or out.is_dir():
        raise InputError(f"{out} cannot be written; name a file in a folder that exists.")


def _run(
    dataset: Path, out: Path, settings: TuningSettings, own: OwnSettings, recipe: str | None, work: Path | None
) -> Found:
    from napari_autofocus.workflows.own.refocusers import temporary_work
    from napari_autofocus.workflows.tuning_found import write_found

    with ExitStack() as cleaning:
        kept = work or Path(cleaning.enter_context(temporary_work()))
        advance = cleaning.enter_context(progress_bar("reading"))
        try:
            telling = _Telling(advance)
            found: Found = run_to_end(_work(dataset, settings, own, recipe, kept), telling.follow)
        except KeyboardInterrupt:
            say(kept_words(work, out))
            raise
        write_found(out, found)
    return found


def _work(
    dataset: Path, settings: TuningSettings, own: OwnSettings, recipe: str | None, work: Path
) -> Generator[Any, None, Found]:
    from napari_autofocus.workflows.tune.data import holds_shards, tuning_on_shards, tuning_on_stacks
    from napari_autofocus.workflows.tuning import tune as tuning

    if holds_shards(dataset):
        if own.base is not None:
            raise InputError("Simulated slides are learned from as their --recipe says; leave out --base.")
        prepared = tuning_on_shards(dataset, recipe, settings, work, own.device)
    else:
        prepared = yield from tuning_on_stacks(dataset, own, settings, work)
    return (yield from tuning(prepared.job, prepared.notes))


class _Telling:
    """What happens, as a bar that moves and lines that stay."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def follow(self, step: object) -> None:
        """Tell a step."""
        from napari_autofocus.workflows.tune.steps import GenerationEnded, MemberLearns, PopulationBegins, TakenOver

        if follow_reading(step, self._advance):
            return
        if isinstance(step, PopulationBegins):
            self._advance(0, 100, "starting Ray")
            say(f"{step.population} networks learn; {step.begun} of {step.generations} generations are over.")
        elif isinstance(step, MemberLearns):
            loss = "" if step.loss is None else f", loss {step.loss:.3f}"
            self._advance(round(100 * step.done), 100, f"teaching member {step.member} (%){loss}")
        elif isinstance(step, GenerationEnded):
            ended = f"failed: {step.failed}" if step.failed else f"error {step.score_um:.3f} µm"
            say(f"Generation {step.generation}, member {step.member}: {ended}")
        elif isinstance(step, TakenOver):
            say(f"After generation {step.generation} member {step.start.member} goes on from {step.start.taken}.")


def _sentences(out: Path, found: Found) -> list[str]:
    """The file, what it says, and what that is worth."""
    last = found.course[-1]
    lines = [
        f"{out}: settings of member {found.best} of {len(found.population)}, mean error {found.score_um:.3f} µm on the"
        " slides that chose it.",
        f"In the end: learning rate {last.learning_rate:.2g}, momentum {last.momentum:.3f}, weight decay"
        f" {last.weight_decay:.2g}, dropout {last.dropout:.2f}; width {found.width:g}.",
    ]
    if found.measured:
        lines.append(f"Mean error {found.measured['score']:.3f} µm on slides that neither taught nor chose.")
    return lines
