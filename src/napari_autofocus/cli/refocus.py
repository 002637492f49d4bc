"""``napari-autofocus refocus``: focus a simulated or a real microscope by a model, from one frame or from two."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.fitting import fitting_model, real_optics, real_sight, simulated_sight
from napari_autofocus.cli.parts.focus_runs import UNKNOWN, SlidesOfRuns, runs_on_real, runs_on_simulated
from napari_autofocus.cli.parts.options import AroundUm, AsJson, LensFile, Records
from napari_autofocus.cli.parts.output import DONE_IN_PART, reserved_stdout
from napari_autofocus.cli.parts.proposals import tell_proposals
from napari_autofocus.cli.parts.runs_table import require_folder, tell_runs
from napari_autofocus.cli.parts.stand import Stand, connected, lens_of
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.microscope.protocol import Microscope
    from napari_autofocus.models.pair_predictor import PairModelPredictor
    from napari_autofocus.models.predictor import ModelPredictor
    from napari_autofocus.routines.refocus_config import Proposal, RefocusConfig
    from napari_autofocus.routines.sweep_config import SweepConfig

    Model = ModelPredictor | PairModelPredictor
    Steps = Generator[Any, None, Any]

METHOD = "Method"


def refocus(
    *,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of a model (the command models lists them), or its file; otherwise the one that fits objective,"
            " camera and sample. One of two shots moves apart by their distance and back before it answers.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[
        int,
        typer.Option(
            help="How many runs; each simulated one at a random field, from a random start within the model's range."
        ),
    ] = 1,
    propose: Annotated[
        bool, typer.Option("--propose", help="Say where the drive would go, and move nothing.", rich_help_panel=METHOD)
    ] = False,
    fallback: Annotated[
        str | None,
        typer.Option(
            help="A model of two shots that decides where --model is unsure or contradicts itself.",
            rich_help_panel=METHOD,
        ),
    ] = None,
    dz_um: Annotated[
        float | None,
        typer.Option(
            "--dz-um",
            help="Distance of two shots, in µm; the model's own unless given, and no farther from it than a tenth.",
            rich_help_panel=METHOD,
        ),
    ] = None,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep/--no-sweep",
            help="Where estimates cannot help (unsure, out of range), search over the model's range.",
            rich_help_panel=METHOD,
        ),
    ] = False,
    uneven: Annotated[
        str,
        typer.Option(
            help="A field without a single focus. best-plane: scan it and take the plane where most of the content is"
            " sharp. leave: move nothing.",
            rich_help_panel=METHOD,
        ),
    ] = "best-plane",
    insist: Annotated[
        bool,
        typer.Option(
            "--insist",
            help="Use the model although the optics are unknown or not the model's; every run then carries a warning.",
            rich_help_panel=METHOD,
        ),
    ] = False,
    timeout_s: Annotated[
        float,
        typer.Option("--timeout-s", help="Time for one run, in s; then the drive goes back.", rich_help_panel=METHOD),
    ] = 60.0,
    stand: Stand,
    range_um: AroundUm = None,
    lens: LensFile = None,
    slide: SlidesOfRuns,
    records: Records = None,
    as_json: AsJson = False,
) -> None:
    """Focus a microscope, simulated or real, by a model: look, move, and look again to prove it.

    The model reads how far the field is out of focus and in which direction, from one frame, or from two taken a short
    step apart. The drive goes there, and what is seen there must agree; otherwise it is corrected, or goes back to
    where it started and the reasons are told.
    Fields without content are left alone. Other optics than the model's are refused unless you --insist.

    In the JSON object start_um and end_um are the true defocus before and after, known on the simulated microscope
    only (null otherwise); start_z_um and end_z_um are what the drive reports. Seconds are simulated on a simulated
    microscope. With --propose it is one of {"proposals": [...]}. Exit code 3: a run ended by a failure of the hardware.

    Examples:

        napari-autofocus refocus --model brightfield-20x --runs 5 --seed 3
        napari-autofocus refocus --stain fluorescence --runs 5
        napari-autofocus refocus --model brightfield-10x --objective 10x/0.3 --runs 5
        napari-autofocus refocus --model brightfield-20x --fallback two-shot-20x --stain ihc --runs 5
        napari-autofocus refocus --model brightfield-20x --microscope MMConfig.cfg --objective 20x/0.75 --range-um 20
    """
    from napari_autofocus.routines.refocus_config import RefocusConfig

    with reserved_stdout(as_json):
        require_folder(records)
        stand = replace(stand, runs=runs, around_um=range_um, lens=lens)
        settings: dict[str, Any] = {
            "insist": insist,
            "focus_direction": stand.focus_direction or 0,
            "uneven": uneven,
            "timeout_s": timeout_s,
            "dz_um": dz_um,
        }

        def routine_of(predictor: Model, optics: ImageOptics | None) -> Callable[[Microscope], Steps]:
            config = RefocusConfig(optics=optics, sweep=_sweep(predictor, sweep, timeout_s), **settings)
            return _routine(predictor, _fallback(predictor, fallback, propose), config, propose)

        predictor, ended = _run(stand, slide, model, routine_of, propose)
        if propose:
            tell_proposals(ended, predictor.card.dof_um, as_json)
            return
        tell_runs(ended, f"Refocusing by {predictor.name}", predictor.card.dof_um, records, as_json)
    if any(record.outcome == "failed" for record, _ in ended):
        raise typer.Exit(DONE_IN_PART)


def _run(
    stand: Stand,
    slide: SlidesOfRuns,
    model: str | None,
    routine_of: Callable[[Model, ImageOptics | None], Callable[[Microscope], Steps]],
    propose: bool,
) -> tuple[Model, list[tuple[Any, dict[str, Any]]]]:
    """The model that was named or fits, and every run by it."""
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.models.pair_predictor import load_focus_model

    if model is None and stand.is_simulated:
        model = fitting_model(simulated_sight(stand, slide.stain, slide.camera))
    predictor = None if model is None else load_focus_model(model)
    if stand.is_simulated:
        assert predictor is not None
        seen = lens_of(stand, predictor.card.optics)
        assert seen is not None
        slides = slide.slides(stand, seen, stains=predictor.card.stains)
        routine = routine_of(predictor, ImageOptics(seen))
        return predictor, runs_on_simulated(stand, slides, routine, within_um=predictor.card.range_um)
    # Connected first: what is wrong with the microscope matters more than what is missing for the model.
    with connected(stand, moves=not propose) as real:
        optics = real_optics(stand, real)
        predictor = predictor or load_focus_model(fitting_model(real_sight(real, optics)))
        routine = routine_of(predictor, optics)
        return predictor, [_looked_at(real, routine)] if propose else runs_on_real(real, stand, routine)


def _sweep(predictor: Model, wanted: bool, timeout_s: float) -> SweepConfig | None:
    """The search that helps where it is wanted: over the model's range, at steps of its depth of field."""
    if not wanted:
        return None
    from napari_autofocus.routines.sweep_config import SweepConfig

    card = predictor.card
    return SweepConfig(dof_um=card.dof_um, range_um=card.range_um, timeout_s=timeout_s)


def _fallback(predictor: Model, name: str | None, propose: bool) -> PairModelPredictor | None:
    """The model that decides where the first one leaves doubt."""
    from napari_autofocus.focus.shot_pairs import takes_two_shots
    from napari_autofocus.models.pair_predictor import load_pair_model

    if takes_two_shots(predictor):
        if propose:
            raise InputError(f"{predictor.name} takes two shots, a move apart; without --propose it may move.")
        if name is not None:
            raise InputError(f"{predictor.name} takes two shots already; name a model of one shot, or no --fallback.")
    return None if name is None else load_pair_model(name)


def _routine(
    predictor: Model, pair: PairModelPredictor | None, config: RefocusConfig, propose: bool
) -> Callable[[Microscope], Steps]:
    """What to run: a refocus by one shot or by two, or what only says where it would go."""
    from napari_autofocus.models.pair_predictor import PairModelPredictor
    from napari_autofocus.models.seeing.optics_check import check_optics
    from napari_autofocus.routines import refocus, two_shot

    if isinstance(predictor, PairModelPredictor):
        two = predictor
        return lambda microscope: two_shot.refocus_by_pair(microscope, two, config)
    one = predictor
    if propose:
        return lambda microscope: refocus.propose(microscope, one, config)
    if pair is not None:  # before anything moves; the colour is seen in the frame
        check_optics(pair.card, config.optics, pair.card.optics.colour, insist=config.insist)
    return lambda microscope: refocus.refocus(microscope, one, config, pair=pair)


def _looked_at(
    microscope: Microscope, routine: Callable[[Microscope], Generator[Any, None, Proposal]]
) -> tuple[Proposal, dict[str, Any]]:
    """A proposal by a real microscope, whose truth is unknown; nothing is asked, since nothing moves."""
    return run_to_end(routine(microscope), lambda _: None), UNKNOWN
