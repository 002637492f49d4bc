"""A scan of the slide as a user asks for it: its plan where the stage stands, and its progress in words. No Qt."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.models.refocuser import VirtualRefocuser
from napari_autofocus.optics import Objective
from napari_autofocus.routines.acquire_places import Area
from napari_autofocus.routines.virtual_scan import ScanStep, VirtualScanConfig
from napari_autofocus.slide.stitching import serpentine
from napari_autofocus.widgets.parts.forms import Tone
from napari_autofocus.workflows.virtual_scan import ScannedSlide, ScanPlan, scan_slide
from napari_autofocus.workflows.virtual_slide import SlideSettings

OVERLAP = 0.1
"""Share of a tile's side that it shares with the next."""
_PHASES = {"find": "Finding focus", "shot": "Taking shots", "tile": "Taking shots", "recover": "Recovering"}


@dataclass(frozen=True, eq=False)
class ScanWish:
    """What a user asks for.

    Parameters
    ----------
    columns, rows : int
        Tiles across and down around where the stage stands; not used where an area is drawn.
    area : Area or None
        That was drawn, stage µm.
    half_um : float
        ΔD, µm.
    out : Path
        The slide, ends in ``.zarr``.
    objective : Objective or None
        As the session has it.
    focus_direction : int
        For a drive that does not tell: +1, −1 or 0.
    refocuser : VirtualRefocuser or None
        Recovers the slide; None to take the shots only.
    insist : bool
        Whether to recover although the optics do not fit.
    range_um : float
        How far a sweep looks for the first tile's focus, µm.
    """

    columns: int
    rows: int
    area: Area | None
    half_um: float
    out: Path
    objective: Objective | None
    focus_direction: int
    refocuser: VirtualRefocuser | None
    insist: bool = False
    range_um: float = 10.0

    def plan(self, microscope: CoreMicroscope) -> ScanPlan:
        """The plan, around where the stage stands now. Raises InputError where none can be made."""
        frame = microscope.snap()
        pixel_um = frame.pixel_size_um or (self.objective.pixel_size_um if self.objective else None)
        if not pixel_um:
            raise InputError(
                "The microscope does not state the size of a pixel, by which tiles are placed; enter it in the"
                " Microscope panel, under Optics."
            )
        height, width = frame.image.shape[:2]
        tiles = self._tiles((frame.x_um, frame.y_um), (height * pixel_um, width * pixel_um))
        lens = None if self.objective is None else self.objective.with_pixel_size(pixel_um)
        return ScanPlan(
            tuple(tiles),
            VirtualScanConfig(dz_um=2 * self.half_um),
            lens,
            pixel_um,
            self.focus_direction,
            find_range_um=self.range_um,
        )

    def _tiles(self, here: tuple[float, float], field_um: tuple[float, float]) -> list[tuple[float, float]]:
        if not math.isfinite(here[0]):
            raise InputError("This microscope cannot move its slide; select an XY stage to scan.")
        if self.area is None:
            return serpentine(here, self.columns, self.rows, field_um, OVERLAP)
        x0, y0, x1, y1 = self.area.bounds_um
        counts = (
            math.ceil((x1 - x0) / (field_um[1] * (1 - OVERLAP))),
            math.ceil((y1 - y0) / (field_um[0] * (1 - OVERLAP))),
        )
        tiles = serpentine(((x0 + x1) / 2, (y0 + y1) / 2), *(max(count, 1) for count in counts), field_um, OVERLAP)
        return [tile for tile in tiles if self.area.holds(tile)] or tiles[:1]


def scanning(microscope: CoreMicroscope, wish: ScanWish) -> Generator[Any, None, ScannedSlide]:
    """Take what the slide still lacks, stitch and recover it; runs on the hardware thread.

    Raises
    ------
    InputError
        Where nothing can be taken, or the model does not fit. Slide and drive are back.
    """
    plan = wish.plan(microscope)
    settings = SlideSettings(insist=wish.insist)
    return (yield from scan_slide(microscope, plan, wish.out, refocuser=wish.refocuser, settings=settings))


def scan_step_words(step: Any) -> str:
    """What a scan is doing."""
    what = getattr(step, "phase", None) or getattr(step, "what", "")
    doing = _PHASES.get(str(what), f"Stitching ({what})")
    unit = "tile" if isinstance(step, ScanStep) or what == "recover" else "part"
    return f"{doing}: {unit} {min(step.done + 1, step.total)} of {step.total}"


def scanned_words(slide: ScannedSlide, out: Path) -> tuple[str, Tone]:
    """What a scan has led to, and how it is meant."""
    reasons = " ".join((*(slide.record.reasons if slide.record else ()), *slide.warnings))
    if slide.path is None:
        return f"Not complete: Start goes on where it ended. {reasons}".strip(), "warning"
    taken = sum(tile.state == "written" for tile in slide.tiles)
    skipped = f", {len(slide.skipped)} skipped" if slide.skipped else ""
    words = f"Written to {out}: {taken} tiles{skipped}, {slide.shape[1]} × {slide.shape[0]} px."
    if slide.recovered is not None and slide.recovered.doubtful:
        words += f" {len(slide.recovered.doubtful)} recovered tiles are doubtful."
    return f"{words} {reasons}".strip(), "warning" if slide.warnings else "plain"


def scan_plan_words(wish_tiles: int | None, half_um: float) -> str:
    """What will move, before it does."""
    tiles = "The tiles of the drawn area" if wish_tiles is None else f"{wish_tiles} tiles around where the stage stands"
    return (
        f"{tiles}: a sweep finds the first tile's focus, then two shots of each ±{half_um:g} µm around it. Slide and"
        " focus drive move inside their limits, and go back afterwards."
    )
