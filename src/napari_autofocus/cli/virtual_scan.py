"""``napari-autofocus virtual-scan``: a slide with two shots a tile, from a simulated or a real microscope."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.options import MICROSCOPE
from napari_autofocus.cli.parts.output import DONE_IN_PART, print_json, reserved_stdout, say
from napari_autofocus.cli.parts.progress import Advance, progress_bar
from napari_autofocus.cli.parts.stand import (
    DEFAULT_RANGE_UM,
    SimulatedSlide,
    Stand,
    ask_to_move,
    drive_words,
    lens_of,
    slide_microscope,
    stage_words,
)
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.models.refocuser import VirtualRefocuser
    from napari_autofocus.routines.acquire import Finder
    from napari_autofocus.workflows.virtual_scan import ScannedSlide, ScanPlan

SCAN = "Scan"
SWEEP = "sweep"
_AREA = re.compile(r"\s*(\d+)\s*[x×]\s*(\d+)\s*", re.I)
_ROOM_UM = 5.0


def virtual_scan(
    out: Annotated[Path, typer.Option(help="The slide (.zarr); one that was begun by the same plan is gone on with.")],
    *,
    area: Annotated[
        str, typer.Option(help="Columns x rows of tiles around where the stage stands.", rich_help_panel=SCAN)
    ] = "3x3",
    overlap: Annotated[
        float, typer.Option(help="Share of its side that a tile shares with the next.", rich_help_panel=SCAN)
    ] = 0.1,
    dz_um: Annotated[
        float, typer.Option("--dz-um", help="Distance of the two shots of a tile, in µm.", rich_help_panel=SCAN)
    ] = 2.0,
    model: Annotated[
        str | None,
        typer.Option(help="Recover the slide in focus with this model (tsva-20x, or a file).", rich_help_panel=SCAN),
    ] = None,
    focus: Annotated[
        str,
        typer.Option(
            help="What finds the first tile's focus: sweep, or the name or file of a model.", rich_help_panel=SCAN
        ),
    ] = SWEEP,
    range_um: Annotated[
        float | None,
        typer.Option(
            "--range-um", help="How far a sweep looks for focus, in µm; 10 unless given.", rich_help_panel=SCAN
        ),
    ] = None,
    find_every: Annotated[
        int | None,
        typer.Option(
            "--find-every",
            help="Find focus again after so many tiles, on a slide that lies askew.",
            rich_help_panel=SCAN,
        ),
    ] = None,
    keep_empty: Annotated[
        bool, typer.Option("--keep-empty", help="Take both shots of tiles that show nothing.", rich_help_panel=SCAN)
    ] = False,
    mirror_x: Annotated[
        bool,
        typer.Option("--mirror-x", help="Columns of an image grow against x of the stage.", rich_help_panel=MICROSCOPE),
    ] = False,
    mirror_y: Annotated[
        bool,
        typer.Option("--mirror-y", help="Rows of an image grow against y of the stage.", rich_help_panel=MICROSCOPE),
    ] = False,
    insist: Annotated[
        bool, typer.Option("--insist", help="Use the model for optics or shots it was not made for.")
    ] = False,
    stand: Stand,
    slide: SimulatedSlide,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help='Print one JSON object: {"output", "written", "skipped": \\[...], "outcome", ...}.'
        ),
    ] = False,
) -> None:
    """Take a slide with two shots a tile: focus once, then every tile below and above, back and forth over the area.

    Tiles that show nothing are shot once. The tiles are stitched into one OME-Zarr that holds both shots (a, b) and,
    with a model, the recovered slide. Slide and drive end where they began, whatever happens. A scan that was stopped
    goes on when it is started again with the same options.

    Exit code 3: not every tile could be taken, and why.

    Examples:

        napari-autofocus virtual-scan --area 3x3 --dz-um 2 --out slide.zarr --model tsva-20x
        napari-autofocus virtual-scan --microscope MMConfig.cfg --area 20x15 --range-um 10 --out slide.zarr
    """
    with reserved_stdout(as_json):
        around_um = None if range_um is None else range_um + dz_um / 2 + _ROOM_UM
        stand = replace(stand, around_um=around_um)
        find_range_um = DEFAULT_RANGE_UM if range_um is None else range_um
        lens = lens_of(stand)
        refocuser = None if model is None else _refocuser(model)
        config = {"dz_um": dz_um, "skip_empty": not keep_empty, "find_every": find_every}
        wishes = {"area": area, "overlap": overlap, "config": config, "focus": focus, "find_range_um": find_range_um}
        wishes |= {"lens": lens, "mirrored": (mirror_x, mirror_y)}
        with slide_microscope(stand, slide, lens) as (seen, _):
            plan = _plan(seen, stand, wishes)
            if not out.exists():
                ask_to_move(stand, f"{drive_words(seen.focus)}; {stage_words(plan.tiles)}; tiles: {len(plan.tiles)}.")
            result = _take(seen, plan, out, refocuser, insist)
        _tell(result, as_json)
    if result.path is None or (result.record is not None and result.record.outcome != "done"):
        raise typer.Exit(DONE_IN_PART)


def _refocuser(model: str) -> VirtualRefocuser:
    from napari_autofocus.models.refocuser import load_refocuser

    return load_refocuser(model)


def _plan(microscope: CoreMicroscope, stand: Stand, wishes: dict[str, Any]) -> ScanPlan:
    """What was asked for, around where the stage stands."""
    from napari_autofocus.routines.virtual_scan import VirtualScanConfig
    from napari_autofocus.slide.stitching import serpentine
    from napari_autofocus.workflows.virtual_scan import ScanPlan

    match = _AREA.fullmatch(wishes["area"])
    if match is None:
        raise InputError(f"Cannot read {wishes['area']!r} as an area; write columns x rows of tiles, as in 3x3.")
    core, lens = microscope.core, wishes["lens"]
    pixel_um = float(core.getPixelSizeUm()) or stand.pixel_um or (lens and lens.pixel_size_um)
    if not pixel_um:
        raise InputError(
            "The microscope does not state the size of a pixel, by which tiles are placed; give --pixel-um."
        )
    field_um = core.getImageHeight() * pixel_um, core.getImageWidth() * pixel_um
    tiles = serpentine(microscope.xy_um(), int(match[1]), int(match[2]), field_um, wishes["overlap"])
    return ScanPlan(
        tuple(tiles),
        VirtualScanConfig(**wishes["config"]),
        lens,
        pixel_um,
        stand.focus_direction or 0,
        wishes["focus"],
        wishes["find_range_um"],
        wishes["mirrored"],
    )


def _take(
    microscope: CoreMicroscope, plan: ScanPlan, out: Path, refocuser: VirtualRefocuser | None, insist: bool
) -> ScannedSlide:
    from napari_autofocus.workflows.virtual_scan import scan_slide
    from napari_autofocus.workflows.virtual_slide import SlideSettings

    settings = SlideSettings(insist=insist)
    steps = scan_slide(microscope, plan, out, find=_finder(plan), refocuser=refocuser, settings=settings)
    with progress_bar("scanning") as advance:
        return run_to_end(steps, lambda step: _follow(step, advance))


def _finder(plan: ScanPlan) -> Finder | None:
    if plan.found_by == SWEEP:
        return None
    from napari_autofocus.models.predictor import load_model
    from napari_autofocus.workflows.virtual_scan import scan_model_finder

    return scan_model_finder(load_model(plan.found_by), plan)


def _follow(step: Any, advance: Advance) -> None:
    """Move the bar by a step of scanning, of stitching or of recovering."""
    result = getattr(step, "result", None)
    if result is not None and result.state not in ("written", "empty"):
        say(f"Tile {result.number + 1}, {result.state.replace('_', ' ')}: {result.reason}")
    what = getattr(step, "phase", None) or f"stitching {step.what}"
    advance(step.done, step.total, str(what))


def _tell(result: ScannedSlide, as_json: bool) -> None:
    record = result.record
    reasons = () if record is None else record.reasons
    for line in (*reasons, *result.warnings):
        say(line)
    if not as_json:
        typer.echo(result.path or "The scan is not complete; the same command goes on.")
        return
    recovered = result.recovered
    print_json(
        {
            "output": result.path and str(result.path),
            "outcome": "done" if record is None else record.outcome,
            "reasons": reasons,
            "written": [asdict(each) for each in result.tiles if each.state == "written"],
            "skipped": [asdict(each) for each in result.skipped],
            "focus_um": None if record is None else record.focus_um,
            "frames": 0 if record is None else record.frames,
            "moves": 0 if record is None else record.moves,
            "seconds": 0.0 if record is None else record.seconds,
            "shape": result.shape,
            "neighbours": result.neighbours,
            "placed": result.placed,
            "largest_correction_px": result.largest_correction_px,
            "warnings": result.warnings,
            "recovered": None if recovered is None else _recovered(recovered),
        }
    )


def _recovered(slide: Any) -> dict[str, Any]:
    doubtful = [{"row": row, "column": column, "reasons": why} for (row, column), why in slide.doubtful.items()]
    values = {name: value for name, value in vars(slide).items() if name not in ("path", "doubtful")}
    return {"output": str(slide.path), **values, "doubtful": doubtful}
