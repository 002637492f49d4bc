"""A slide taken with two shots a tile, stitched and, with a model, recovered: from the microscope to one OME-Zarr.

The store holds ``a`` and ``b``, the shots at the lower and at the higher drive position, and ``recovered``. A scan that
was stopped or killed goes on when it is started again; until both slides are stitched it lies in a hidden folder.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusPredictor, ImageOptics
from napari_autofocus.io.zarr import OWN_KEY, own_facts
from napari_autofocus.io.zarr_slide_writing import writing
from napari_autofocus.io.zarr_writing import VERSION, flush_folder, flush_path
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.models.seeing.optics_check import check_optics
from napari_autofocus.routines.acquire import Finder
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.routines.sweep import sweep
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.routines.virtual_scan import ScanStep, TileResult, VirtualScanRecord, virtual_scan
from napari_autofocus.steps import relay
from napari_autofocus.workflows.virtual.scan_plan import ScanPlan
from napari_autofocus.workflows.virtual.scan_stitching import Stitched, StitchStep, placed, stitch
from napari_autofocus.workflows.virtual.scan_tiles import SHOTS, ScanTiles, clear_tiles
from napari_autofocus.workflows.virtual.slide_tiles import TileRefocuser
from napari_autofocus.workflows.virtual_slide import SlideSettings, SlideStep, VirtualSlide, refocus_slide

__all__ = ["ScanPlan", "ScannedSlide", "scan_model_finder", "scan_slide", "scan_sweep_finder"]

RECOVERED = "recovered"
SCAN = "virtual_scan"
"""Under this key our own facts of a store tell how it was taken."""
Steps = Generator[ScanStep | StitchStep | SlideStep, None, "ScannedSlide"]
_FINISHED = ("done", "done_in_part")


@dataclass(frozen=True)
class ScannedSlide:
    """What a scan has led to.

    Parameters
    ----------
    path : Path or None
        The store; None where the scan ended before its tiles were taken (the same call goes on).
    tiles : tuple of TileResult
        What became of each tile, those of earlier runs included.
    record : VirtualScanRecord or None
        What this run left behind; None where nothing was left to take.
    shape : tuple of int
        Height and width of the slide, px.
    neighbours, placed : int
        Pairs of tiles that overlap, and those whose overlap told their places.
    largest_correction_px : float
        Of the stage's word, px.
    warnings : tuple of str
        What seems wrong.
    recovered : VirtualSlide or None
        The slide in focus, where there was a model.
    """

    path: Path | None
    tiles: tuple[TileResult, ...]
    record: VirtualScanRecord | None = None
    shape: tuple[int, int] = (0, 0)
    neighbours: int = 0
    placed: int = 0
    largest_correction_px: float = 0.0
    warnings: tuple[str, ...] = ()
    recovered: VirtualSlide | None = None

    @property
    def skipped(self) -> tuple[TileResult, ...]:
        """Tiles that have not two shots, each with its reason."""
        return tuple(each for each in self.tiles if each.state != "written")


def scan_slide(
    microscope: Microscope,
    plan: ScanPlan,
    out: Path,
    *,
    find: Finder | None = None,
    refocuser: TileRefocuser | None = None,
    settings: SlideSettings | None = None,
    keep: Callable[[VirtualScanRecord], None] | None = None,
) -> Steps:
    """Take what a slide still lacks of two shots a tile, stitch it, and recover it.

    Closing the generator ends it with slide and drive where they were; the same call goes on later, at the places where
    it was begun.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move.
    plan : ScanPlan
        Which tiles, how.
    out : Path
        Ends in ``.zarr``; a slide by the same plan is not taken again.
    find : callable, optional
        What focuses the first tile; otherwise a sweep.
    refocuser : TileRefocuser, optional
        Recovers the slide.
    settings : SlideSettings, optional
        How it is recovered.
    keep : callable, optional
        Told the record of the scan however it ends.

    Yields
    ------
    ScanStep, StitchStep or SlideStep
        After each frame and tile; after each step of stitching; after each tile that is recovered.

    Returns
    -------
    ScannedSlide

    Raises
    ------
    InputError
        If another slide lies there or is under way, the model does not fit, or nothing can be written. Slide and drive
        are back; what was taken stays.
    HardwareError
        If not even the positions at the start can be read. Nothing has moved.
    """
    settings = settings or SlideSettings()
    if out.suffix.lower() != ".zarr":
        raise InputError(f"A slide is written as OME-Zarr; end its name in .zarr (found {out.name}).")
    if refocuser is not None:
        settings = _fitting(refocuser, plan, settings)
    done = _finished(out, plan) or (yield from _taken(microscope, plan, out, find or scan_sweep_finder(plan), keep))
    if done.path is None or refocuser is None:
        return done
    lower, upper = (out / shot for shot in SHOTS)
    recovered = yield from refocus_slide(lower, upper, out / RECOVERED, refocuser, settings)
    _name_series(out, [*SHOTS, RECOVERED])
    return replace(done, recovered=recovered)


def scan_sweep_finder(plan: ScanPlan) -> Finder:
    """A classical sweep, which knows nothing of the optics but the depth of field."""
    dof_um = plan.dof_um
    config = SweepConfig(
        range_um=plan.find_range_um,
        step_um=min(plan.config.dz_um / 2 if dof_um is None else dof_um, plan.find_range_um / 4),
        dof_um=dof_um,
        same_place_um=plan.config.same_place_um,
    )
    return lambda microscope: sweep(microscope, config)


def scan_model_finder(predictor: FocusPredictor, plan: ScanPlan) -> Finder:
    """A refocus by a model, which a sweep helps where it cannot tell."""
    dof_um = predictor.card.dof_um
    config = RefocusConfig(
        optics=None if plan.objective is None else ImageOptics(plan.objective),
        focus_direction=plan.focus_direction,
        sweep=SweepConfig(range_um=max(plan.find_range_um, dof_um), dof_um=dof_um),
        same_place_um=plan.config.same_place_um,
    )
    return lambda microscope: refocus(microscope, predictor, config)


def _fitting(refocuser: TileRefocuser, plan: ScanPlan, settings: SlideSettings) -> SlideSettings:
    """How the slide is recovered, if the model is made for it: known before anything moves."""
    optics = settings.optics or (None if plan.objective is None else ImageOptics(plan.objective))
    if optics is not None and optics.objective is not None and plan.pixel_size_um is not None:
        optics = ImageOptics(optics.objective.with_pixel_size(plan.pixel_size_um))
    check_optics(refocuser.card, optics, refocuser.card.optics.colour, insist=settings.insist)
    low, high = (2 * half for half in refocuser.card.half_um)
    if not (low <= plan.config.dz_um <= high or settings.insist):
        raise InputError(
            f"Shots {plan.config.dz_um:g} µm apart do not suit {refocuser.name}, which was taught on {low:g} to"
            f" {high:g} µm; choose a distance within, or insist."
        )
    return settings


def _finished(out: Path, plan: ScanPlan) -> ScannedSlide | None:
    """What lies under the name, if this plan has taken it. Raises InputError if it is anything else."""
    if not out.exists():
        return None
    facts = own_facts(out).get(SCAN) if out.is_dir() else None
    differences = [] if facts is None else plan.differences(ScanPlan.from_json(facts["plan"]))
    if facts is None or differences:
        told = f" ({'; '.join(differences)})" if differences else ""
        raise InputError(f"{out} exists and is another slide{told}; choose another name, or move it away.")
    clear_tiles(out)  # left there if the scan was killed at its very end
    found = dict(facts["stitched"])
    tiles = tuple(TileResult(**each) for each in facts["tiles"])
    height, width = found.pop("shape")
    return ScannedSlide(out, tiles, None, (height, width), warnings=tuple(found.pop("warnings")), **found)


def _taken(
    microscope: Microscope,
    plan: ScanPlan,
    out: Path,
    find: Finder,
    keep: Callable[[VirtualScanRecord], None] | None,
) -> Steps:
    """The tiles that are lacking, then both slides of them."""
    tiles = ScanTiles.begin(out, plan)
    record: VirtualScanRecord | None = None
    if len(tiles.settled) < len(plan.tiles):
        record = yield from _shot(microscope, tiles, find, keep)
    if (record is not None and record.outcome not in _FINISHED) or not tiles.stored:
        return ScannedSlide(None, tiles.results, record)
    stitched = yield from placed(tiles)
    yield from stitch(tiles, stitched)
    _give_name(tiles, stitched, out)
    found = _told(stitched)
    height, width = found.pop("shape")
    return ScannedSlide(out, tiles.results, record, (height, width), warnings=tuple(found.pop("warnings")), **found)


def _shot(
    microscope: Microscope, tiles: ScanTiles, find: Finder, keep: Callable[[VirtualScanRecord], None] | None
) -> Generator[ScanStep, None, VirtualScanRecord]:
    """The scan itself; each tile is entered when it is on the disk."""
    plan = tiles.plan
    steps = virtual_scan(
        microscope, plan.config, tiles.write, tiles=plan.tiles, find=find, done=tiles.settled, keep=keep
    )

    def entered(step: ScanStep) -> ScanStep:
        if step.result is not None:
            tiles.enter(step.result)
        return step

    return (yield from relay(steps, entered))


def _told(stitched: Stitched) -> dict[str, Any]:
    return {
        "shape": [*stitched.mosaic.shape],
        "neighbours": stitched.pairs,
        "placed": stitched.found,
        "largest_correction_px": round(stitched.largest_px, 2),
        "warnings": [*stitched.warnings],
    }


def _give_name(tiles: ScanTiles, stitched: Stitched, out: Path) -> None:
    """Say how the store came about, and give it its name."""
    import zarr

    part = tiles.part
    facts = {
        "made_by": f"napari-autofocus {__version__}",
        "plan": tiles.plan.to_json(),
        "tiles": [asdict(each) for each in tiles.results],
        "stitched": _told(stitched),
    }
    with writing(out):
        group = zarr.open_group(str(part), mode="a", zarr_format=3)
        group.attrs.update({"ome": {"version": VERSION, "bioformats2raw.layout": 3}, OWN_KEY: {SCAN: facts}})
        _name_series(part, [*SHOTS])
        flush_folder(part)
        part.rename(out)
        flush_path(out.absolute().parent)
    # Not before: killed in between, the scan would have neither its tiles nor a slide that bears its name.
    tiles.clear_away(out)
    tiles.forget()


def _name_series(store: Path, names: list[str]) -> None:
    """The images of a store, for programs that read several from one."""
    import zarr

    with writing(store):
        group = zarr.open_group(str(store / "OME"), mode="a", zarr_format=3)
        group.attrs.update({"ome": {"version": VERSION, "series": names}})
