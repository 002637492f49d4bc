"""``napari-autofocus sweep``: classical autofocus of a simulated or a real microscope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.focus_runs import SlidesOfRuns, runs_on_real, runs_on_simulated
from napari_autofocus.cli.parts.options import AsJson, LensFile, Records
from napari_autofocus.cli.parts.output import DONE_IN_PART, reserved_stdout
from napari_autofocus.cli.parts.runs_table import require_folder, tell_runs
from napari_autofocus.cli.parts.stand import Stand, connected, lens_of, usual_range_um
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_autofocus.microscope.protocol import Microscope
    from napari_autofocus.optics import Objective
    from napari_autofocus.records import SweepRecord
    from napari_autofocus.routines.sweep import SweepConfig

SEARCH = "Search"


def sweep(
    *,
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
    stand: Stand,
    lens: LensFile = None,
    slide: SlidesOfRuns,
    records: Records = None,
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
    with reserved_stdout(as_json):
        require_folder(records)
        stand = replace(stand, runs=runs, around_um=range_um, lens=lens)
        settings = {
            "method": method,
            "range_um": range_um,
            "step_um": step_um,
            "measure": measure,
            "polarity": polarity,
            "timeout_s": timeout_s,
        }
        seen = lens_of(stand)
        if stand.is_simulated:
            assert seen is not None
            config = _config(seen, **settings)
            slides = slide.slides(stand, seen)
            ended = runs_on_simulated(stand, slides, _routine(config), within_um=usual_range_um(seen))
        else:
            # Connected first: what is wrong with the microscope matters more than what is missing for the search.
            with connected(stand) as real:
                config = _config(seen, **settings)
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
