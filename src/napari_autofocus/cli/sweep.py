"""``napari-autofocus sweep``: classical autofocus of a simulated or a real microscope."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.focus_runs import Ended, Routine, Stand, connected, runs_on_real, runs_on_simulated
from napari_autofocus.cli.options import SLIDE, Density, Stain, parse_shape
from napari_autofocus.cli.output import DONE_IN_PART, print_json, reserved_stdout, say
from napari_autofocus.cli.runs_table import print_runs
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.optics import Objective
    from napari_autofocus.routines.sweep import SweepConfig
    from napari_autofocus.simulation.scene import Scene

SEARCH = "Search"
MICROSCOPE = "Microscope"
SIMULATED = "simulated"
DEFAULT_RANGE_UM = 10.0


def sweep(
    microscope: Annotated[
        str,
        typer.Option(
            help="[bold]simulated[/bold], or a Micro-Manager configuration file (.cfg).", rich_help_panel=MICROSCOPE
        ),
    ] = SIMULATED,
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
        typer.Option(help="How many sweeps; each simulated one at a random field from a random start within ±10 µm."),
    ] = 1,
    seed: Annotated[
        int, typer.Option(help="Same seed, same results: simulated slide, fields, starts and camera noise.")
    ] = 0,
    range_um: Annotated[
        float | None,
        typer.Option(
            "--range-um",
            help="Search this far to either side of the start, in µm; 10 unless given. Extended"
            " up to three times where the peak lies at an edge; on a real microscope without --limits-um never.",
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
    limits_um: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--limits-um",
            help="Lowest and highest position the drive may ever take, in µm as it reports them. A real microscope"
            " moves only if these or --range-um are given.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    focus_direction: Annotated[
        int | None,
        typer.Option(
            help="+1: a growing z brings sample and objective together; -1: it moves them apart. Taken from the"
            " microscope where it knows; +1 when simulated.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    backlash_um: Annotated[
        float | None,
        typer.Option(
            "--backlash-um",
            help="Play of the drive's gears, in µm; every place is approached from the same side. 1 when simulated,"
            " 2 on a real drive unless given; 0 for a piezo.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    exposure_ms: Annotated[
        float | None,
        typer.Option(
            "--exposure-ms",
            help="Exposure time of a frame, in ms; 25 when simulated (the lamp is set to match), otherwise as the"
            " camera is set.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="Magnification/NA and immersion, as 20x/0.75 (when simulated) or '100x/1.4 oil'. A real microscope"
            " needs it for its depth of field, unless --step-um is given.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    stain: Stain = "he",
    density: Density = "dense",
    shape: Annotated[
        str, typer.Option(help="Height x width of a field, in pixels.", rich_help_panel=SLIDE)
    ] = "512x612",
    records: Annotated[
        Path | None, typer.Option(help="Keep the full record of every run, curve included: one JSON object a line.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before a real microscope moves.", rich_help_panel=MICROSCOPE)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help='Print one JSON object: {"runs": \\[...], "summary": {...}}.')
    ] = False,
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

    with reserved_stdout(as_json):
        _require_folder(records)
        stand = Stand(microscope, runs, seed, limits_um, range_um, focus_direction, backlash_um, exposure_ms, yes)
        settings = {
            "method": method,
            "range_um": DEFAULT_RANGE_UM if range_um is None else range_um,
            "step_um": step_um,
            "measure": measure,
            "polarity": polarity,
            "timeout_s": timeout_s,
        }
        if microscope == SIMULATED:
            lens = Objective.parse(objective or "20x/0.75")
            config = _config(lens, **settings)
            scene = _scene(stain, density, lens, seed, parse_shape(shape), exposure_ms or 25.0)
            ended = runs_on_simulated(stand, scene, _routine(config))
        else:
            # Connected first: what is wrong with the microscope matters more than what is missing for the search.
            with connected(stand) as real:
                config = _config(Objective.parse(objective) if objective else None, **settings)
                ended = runs_on_real(real, stand, _routine(config))
        _tell(ended, config, records, as_json)
    if any(record.outcome == "failed" for record, _ in ended):
        raise typer.Exit(DONE_IN_PART)


def _require_folder(records: Path | None) -> None:
    """Raise InputError before anything moves if the records could not be written."""
    if records is not None and (records.is_dir() or not records.parent.is_dir()):
        raise InputError(f"The records cannot be written to {records}; name a file in a folder that exists.")


def _config(lens: Objective | None, **settings: Any) -> SweepConfig:
    from napari_autofocus.focus.sharpness import MEASURES
    from napari_autofocus.routines.sweep import SweepConfig

    if settings["measure"] not in MEASURES:
        raise InputError(f"Unknown focus measure {settings['measure']!r}; use one of {', '.join(MEASURES)}.")
    if settings["step_um"] is None and lens is None:
        raise InputError("The step cannot be derived: give --objective, as in 20x/0.75, or --step-um.")
    return SweepConfig(dof_um=None if lens is None else lens.dof_um, **settings)


def _scene(stain: str, density: str, lens: Objective, seed: int, shape: tuple[int, int], exposure_ms: float) -> Scene:
    """The simulated slide, its lamp set so that frames of that exposure are well exposed."""
    from napari_autofocus.simulation.camera import Camera
    from napari_autofocus.simulation.scene import Scene

    return Scene.build(stain, density, lens, seed=seed, shape=shape, camera=Camera(default_exposure_ms=exposure_ms))


def _routine(config: SweepConfig) -> Routine:
    from napari_autofocus.routines.sweep import sweep as run_sweep

    return lambda microscope: run_sweep(microscope, config)


def _tell(ended: Ended, config: SweepConfig, records: Path | None, as_json: bool) -> None:
    from napari_autofocus.files import replacing
    from napari_autofocus.workflows.trials import describe_run, summarise

    if records is not None:
        with replacing(records) as part:
            part.write_text("".join(record.to_json() + "\n" for record, _ in ended), encoding="utf-8")
        say(f"The records are in {records}.")
    runs = [describe_run(record, *(truth or ())) for record, truth in ended]
    summary = summarise(runs, config.dof_um)
    if as_json:
        print_json({"runs": runs, "summary": summary})
    else:
        print_runs(runs, summary)
