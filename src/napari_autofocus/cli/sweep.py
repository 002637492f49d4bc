"""``napari-autofocus sweep``: classical autofocus of a simulated or a real microscope."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.acquire_stand import usual_range_um
from napari_autofocus.cli.focus_runs import Stand, connected, runs_on_real, runs_on_simulated
from napari_autofocus.cli.options import (
    MICROSCOPE,
    SIMULATED,
    AsJson,
    BacklashUm,
    CameraColour,
    ExposureMs,
    LensFile,
    LimitsUm,
    MicroscopeName,
    Records,
    Seed,
    Shape,
    TrialDensity,
    TrialStain,
    Yes,
    parse_shape,
)
from napari_autofocus.cli.output import DONE_IN_PART, reserved_stdout
from napari_autofocus.cli.runs_table import require_folder, tell_runs
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_autofocus.microscope.protocol import Microscope
    from napari_autofocus.optics import Objective
    from napari_autofocus.records import SweepRecord
    from napari_autofocus.routines.sweep import SweepConfig

SEARCH = "Search"
DEFAULT_EXPOSURE_MS = 25.0


def sweep(
    microscope: MicroscopeName = SIMULATED,
    method: Annotated[
        str,
        typer.Option(
            help="uniform: every step of the range. coarse-to-fine: coarse steps, then fine ones around the best."
            " hill-climb: uphill from the start. brent: bracket, then Brent's method. curve-fit: few samples and a"
            " Lorentzian through them. The last three cannot focus unstained cells, whose contrast is least in focus.",
            rich_help_panel=SEARCH,
        ),
    ] = "coarse-to-fine",
    runs: Annotated[
        int,
        typer.Option(
            help="How many sweeps; each simulated one at a random field, from a random start within the usual range."
        ),
    ] = 1,
    seed: Seed = 0,
    range_um: Annotated[
        float | None,
        typer.Option(
            "--range-um",
            help="Search this far to either side of the start, in µm; unless given 10, or 3.6 depths of field"
            " where that is more (36 at 10x/0.3). Extended up to three times where the peak lies at an edge; on a real"
            " microscope without --limits-um never.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    step_um: Annotated[
        float | None,
        typer.Option(
            "--step-um",
            help="Spacing that resolves a peak, in µm; one depth of field of the objective unless given.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    measure: Annotated[
        str, typer.Option(help="Focus measure: brenner, tenengrad, laplacian-variance, ...", rich_help_panel=SEARCH)
    ] = "brenner",
    polarity: Annotated[
        str,
        typer.Option(
            help="max: sharpest in focus. min: least contrast in focus (unstained cells). auto: find out.",
            rich_help_panel=SEARCH,
        ),
    ] = "auto",
    timeout_s: Annotated[
        float,
        typer.Option("--timeout-s", help="Time for one sweep, in s; then the drive goes back.", rich_help_panel=SEARCH),
    ] = 60.0,
    limits_um: LimitsUm = None,
    lens: LensFile = None,
    focus_direction: Annotated[
        int | None,
        typer.Option(
            help="+1: a growing z brings sample and objective together; -1: it moves them apart. Taken from the"
            " microscope where it knows; +1 when simulated.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    backlash_um: BacklashUm = None,
    exposure_ms: ExposureMs = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="Magnification/NA and immersion, as 20x/0.75 (when simulated) or '100x/1.4 oil'. A real microscope"
            " needs it for its depth of field, unless --step-um is given.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    stain: TrialStain = "he",
    density: TrialDensity = "dense",
    camera: CameraColour = None,
    shape: Shape = "512x612",
    records: Records = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Focus a microscope, simulated or real, by a classical search.

    A sweep looks at several heights, fits the focus curve and goes to its peak if the curve can be trusted and one
    more frame there proves it. Otherwise, and on any failure, the drive goes back to where it started and the reasons
    are told.

    In the JSON object start_um and end_um are the true defocus before and after, known on the simulated microscope
    only (null otherwise); start_z_um and end_z_um are what the drive reports. Seconds are simulated on a simulated
    microscope. Exit code 3: a run ended by a failure of the hardware.

    Examples:

        napari-autofocus sweep --microscope simulated --method brent --runs 5 --seed 3
        napari-autofocus sweep --microscope MMConfig.cfg --objective 20x/0.75 --limits-um 90 130
    """
    from napari_autofocus.optics import Objective
    from napari_autofocus.workflows.trial_slides import TrialSlides

    with reserved_stdout(as_json):
        require_folder(records)
        stand = Stand(
            microscope,
            runs,
            seed,
            limits_um,
            range_um,
            focus_direction,
            backlash_um,
            exposure_ms,
            yes,
            lens,
            camera=camera,
        )
        settings = {
            "method": method,
            "range_um": range_um,
            "step_um": step_um,
            "measure": measure,
            "polarity": polarity,
            "timeout_s": timeout_s,
        }
        if microscope == SIMULATED:
            seen = Objective.parse(objective or "20x/0.75")
            config = _config(seen, **settings)
            slides = TrialSlides(
                stain, density, seen, seed, parse_shape(shape), exposure_ms or DEFAULT_EXPOSURE_MS, camera=camera
            )
            ended = runs_on_simulated(stand, slides, _routine(config), within_um=usual_range_um(seen))
        else:
            # Connected first: what is wrong with the microscope matters more than what is missing for the search.
            with connected(stand) as real:
                config = _config(Objective.parse(objective) if objective else None, **settings)
                ended = runs_on_real(real, stand, _routine(config))
        tell_runs(ended, f"Focusing by {method}", config.dof_um, records, as_json)
    if any(record.outcome == "failed" for record, _ in ended):
        raise typer.Exit(DONE_IN_PART)


def _config(lens: Objective | None, **settings: Any) -> SweepConfig:
    from napari_autofocus.focus.sharpness import MEASURES
    from napari_autofocus.routines.sweep import SweepConfig

    if settings["measure"] not in MEASURES:
        raise InputError(f"Unknown focus measure {settings['measure']!r}; use one of {', '.join(MEASURES)}.")
    if settings["step_um"] is None and lens is None:
        raise InputError("The step cannot be derived: give --objective, as in 20x/0.75, or --step-um.")
    settings["range_um"] = usual_range_um(lens, settings["range_um"])
    return SweepConfig(dof_um=None if lens is None else lens.dof_um, **settings)


def _routine(config: SweepConfig) -> Callable[[Microscope], Generator[Any, None, SweepRecord]]:
    from napari_autofocus.routines.sweep import sweep as run_sweep

    return lambda microscope: run_sweep(microscope, config)
