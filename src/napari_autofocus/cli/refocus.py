"""``napari-autofocus refocus``: focus a simulated or a real microscope by a model, from one frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.focus_runs import UNKNOWN, Stand, connected, runs_on_real, runs_on_simulated
from napari_autofocus.cli.options import (
    MICROSCOPE,
    SIMULATED,
    AsJson,
    BacklashUm,
    ExposureMs,
    LimitsUm,
    MicroscopeName,
    PixelUm,
    Records,
    Seed,
    Shape,
    TrialDensity,
    TrialStain,
    Yes,
    parse_shape,
)
from napari_autofocus.cli.output import DONE_IN_PART, reserved_stdout
from napari_autofocus.cli.progress import run_to_end
from napari_autofocus.cli.proposals import tell_proposals
from napari_autofocus.cli.runs_table import require_folder, tell_runs
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.microscope.protocol import Microscope
    from napari_autofocus.models.predictor import ModelPredictor
    from napari_autofocus.optics import Objective
    from napari_autofocus.routines.refocus_config import Proposal, RefocusConfig
    from napari_autofocus.routines.sweep_config import SweepConfig

METHOD = "Method"
DEFAULT_EXPOSURE_MS = 25.0


def refocus(
    model: Annotated[
        str,
        typer.Option(help="Name of a model (the command models lists them), or its file.", show_default=False),
    ],
    microscope: MicroscopeName = SIMULATED,
    runs: Annotated[
        int,
        typer.Option(help="How many runs; each simulated one at a random field from a random start within ±10 µm."),
    ] = 1,
    seed: Seed = 0,
    propose: Annotated[
        bool, typer.Option("--propose", help="Say where the drive would go, and move nothing.", rich_help_panel=METHOD)
    ] = False,
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
    objective: Annotated[
        str | None,
        typer.Option(
            help="Magnification, NA and immersion, as in 20x/0.75 or '100x/1.4 oil'. A real microscope needs it; the"
            " simulated one has the model's unless another is given.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    pixel_um: PixelUm = None,
    limits_um: LimitsUm = None,
    range_um: Annotated[
        float | None,
        typer.Option(
            "--range-um",
            help="A real drive stays within so many µm of where it stands, instead of --limits-um.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    focus_direction: Annotated[
        int | None,
        typer.Option(
            help="+1: a growing z brings sample and objective together; -1: it moves them apart. Taken from the"
            " microscope where it knows; otherwise found out by a move of 2 µm. +1 when simulated.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    backlash_um: BacklashUm = None,
    exposure_ms: ExposureMs = None,
    stain: TrialStain = "he",
    density: TrialDensity = "dense",
    shape: Shape = "512x612",
    records: Records = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Focus a microscope, simulated or real, by a model: one frame, one move, and a second frame that proves it.

    The model reads from one frame how far the field is out of focus and in which direction. The drive goes there, and
    the second frame must agree; otherwise it is corrected, or goes back to where it started and the reasons are told.
    Fields without content are left alone. Other optics than the model's are refused unless you --insist.

    In the JSON object start_um and end_um are the true defocus before and after, known on the simulated microscope
    only (null otherwise); start_z_um and end_z_um are what the drive reports. Seconds are simulated on a simulated
    microscope. With --propose it is one of {"proposals": [...]}. Exit code 3: a run ended by a failure of the hardware.

    Examples:

        napari-autofocus refocus --model brightfield-20x --runs 5 --seed 3
        napari-autofocus refocus --model brightfield-20x --microscope MMConfig.cfg --objective 20x/0.75 --range-um 20
    """
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.models.predictor import load_model
    from napari_autofocus.routines.refocus_config import RefocusConfig
    from napari_autofocus.workflows.trial_slides import TrialSlides

    with reserved_stdout(as_json):
        require_folder(records)
        _require_positive("--pixel-um", pixel_um)
        stand = Stand(microscope, runs, seed, limits_um, range_um, focus_direction, backlash_um, exposure_ms, yes)
        predictor = load_model(model)
        settings: dict[str, Any] = {
            "insist": insist,
            "focus_direction": focus_direction or 0,
            "sweep": _sweep(predictor, timeout_s) if sweep else None,
            "uneven": uneven,
            "timeout_s": timeout_s,
        }
        ended: list[tuple[Any, dict[str, Any]]]
        if microscope == SIMULATED:
            lens = _simulated_lens(objective, pixel_um, predictor)
            size, lit_ms = parse_shape(shape), exposure_ms or DEFAULT_EXPOSURE_MS
            slides = TrialSlides(stain, density, lens, seed, size, lit_ms, stains=predictor.card.stains)
            routine = _routine(predictor, RefocusConfig(optics=ImageOptics(lens), **settings), propose)
            ended = runs_on_simulated(stand, slides, routine)
        else:
            # Connected first: what is wrong with the microscope matters more than what is missing for the model.
            with connected(stand, moves=not propose) as real:
                optics = _real_optics(objective, pixel_um, real)
                routine = _routine(predictor, RefocusConfig(optics=optics, **settings), propose)
                ended = [_looked_at(real, routine)] if propose else runs_on_real(real, stand, routine)
        if propose:
            tell_proposals(ended, predictor, as_json)
            return
        tell_runs(ended, f"Refocusing by {predictor.name}", predictor.card.dof_um, records, as_json)
    if any(record.outcome == "failed" for record, _ in ended):
        raise typer.Exit(DONE_IN_PART)


def _require_positive(option: str, value_um: float | None) -> None:
    if value_um is not None and not 0 < value_um < math.inf:
        raise InputError(f"{option} must be a positive number of µm; found {value_um:g}.")


def _simulated_lens(objective: str | None, pixel_um: float | None, predictor: ModelPredictor) -> Objective:
    """The lens of the simulated microscope: the model's unless another is stated."""
    from napari_autofocus.optics import Objective

    if objective is not None:
        return Objective.parse(objective, pixel_size_um=pixel_um)
    own = predictor.card.optics
    return Objective.parse(own.objective.name, pixel_size_um=own.pixel_size_um if pixel_um is None else pixel_um)


def _real_optics(objective: str | None, pixel_um: float | None, microscope: Microscope) -> ImageOptics | None:
    """How a real microscope takes its frames; the pixel size that it states itself goes before any other."""
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.optics import Objective

    if objective is None:
        return None
    if pixel_um is None and microscope.snap().pixel_size_um is None:
        raise InputError("The microscope does not state the size of its pixels: give --pixel-um, in µm in the sample.")
    return ImageOptics(Objective.parse(objective, pixel_size_um=pixel_um))


def _sweep(predictor: ModelPredictor, timeout_s: float) -> SweepConfig:
    """The search that helps: over the model's range, at steps of its depth of field."""
    from napari_autofocus.routines.sweep_config import SweepConfig

    card = predictor.card
    return SweepConfig(dof_um=card.dof_um, range_um=card.range_um, timeout_s=timeout_s)


def _routine(
    predictor: ModelPredictor, config: RefocusConfig, propose: bool
) -> Callable[[Microscope], Generator[Any, None, Any]]:
    """What to run: a refocus, or what only says where it would go."""
    from napari_autofocus.routines import refocus

    run = refocus.propose if propose else refocus.refocus
    return lambda microscope: run(microscope, predictor, config)


def _looked_at(
    microscope: Microscope, routine: Callable[[Microscope], Generator[Any, None, Proposal]]
) -> tuple[Proposal, dict[str, Any]]:
    """A proposal by a real microscope, whose truth is unknown; nothing is asked, since nothing moves."""
    return run_to_end(routine(microscope), lambda _: None), UNKNOWN
