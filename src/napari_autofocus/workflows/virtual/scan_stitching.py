"""The tiles of a scan become two slides: placed, corrected by what neighbours both show, blended, with a pyramid."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from napari_autofocus.focus.glass import shows_detail
from napari_autofocus.focus.registration import shift_between
from napari_autofocus.io.zarr import objective_to_json
from napari_autofocus.io.zarr_slide_writing import CHUNK_PX, SlideCanvas
from napari_autofocus.slide.stitching import Mosaic, Pair, blended, corrected, laid_out
from napari_autofocus.workflows.virtual.scan_tiles import SHOTS, ScanTiles
from napari_autofocus.workflows.virtual.slide_plan import grid_of

BLOCK_PX = 2 * CHUNK_PX
LEAST_QUALITY = 0.5
"""Likeness of what two neighbours both show, below which they say nothing of their places (ours)."""
FEWEST_PAIRS = 4
"""Fewer pairs that contradict the stage do not tell that the camera is mirrored (ours)."""


@dataclass(frozen=True)
class StitchStep:
    """Progress: so many of all steps (``places``, then ``a`` and ``b``) are done."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, eq=False)
class Stitched:
    """Where the tiles came to lie.

    Parameters
    ----------
    mosaic : Mosaic
        Of the stored tiles, in their order.
    pairs, found : int
        Neighbours, and those whose overlap told their places.
    largest_px : float
        Longest correction of the stage's word, px.
    warnings : tuple of str
        What seems wrong.
    """

    mosaic: Mosaic
    pairs: int
    found: int
    largest_px: float
    warnings: tuple[str, ...] = ()


def placed(tiles: ScanTiles) -> Generator[StitchStep, None, Stitched]:
    """Where the stored tiles lie: by the stage, corrected where overlaps tell."""
    stored, facts = tiles.stored, tiles.frame_facts
    by_stage = laid_out(
        [(each.x_um, each.y_um) for each in stored],
        (facts["shape"][0], facts["shape"][1]),
        facts["pixel_size_um"],
        mirrored=tiles.plan.mirrored,
    )
    empty = {number for number, each in enumerate(stored) if each.state == "empty"}
    pairs = [pair for pair in by_stage.pairs() if not empty & {*pair}]
    found: dict[Pair, tuple[float, float]] = {}
    asked = 0
    for done, pair in enumerate(pairs, 1):
        first, second = (
            tiles.read(SHOTS[0], stored[number].number)[part]
            for number, part in zip(pair, by_stage.shared(pair), strict=True)
        )
        if shows_detail(first) and shows_detail(second):
            asked += 1
            shift = shift_between(first, second)
            if shift.quality >= LEAST_QUALITY:
                found[pair] = (shift.dy, shift.dx)
        yield StitchStep("places", done, len(pairs))
    mosaic = corrected(by_stage, found)
    moved = (mosaic.origins_px - by_stage.origins_px).astype(np.float64)
    largest = float(np.hypot(*(moved - np.median(moved, axis=0)).T).max())
    warnings = _doubts(asked, len(found))
    return Stitched(mosaic, len(pairs), len(found), largest, warnings)


def _doubts(asked: int, found: int) -> tuple[str, ...]:
    if asked < FEWEST_PAIRS or found > asked / 2:
        return ()
    return (
        f"Only {found} of {asked} neighbours show the same where they overlap: the camera may be mirrored or turned"
        " against the stage, or the size of a pixel be wrong; see the slide, and scan again with --mirror-x or"
        " --mirror-y.",
    )


def stitch(tiles: ScanTiles, stitched: Stitched) -> Generator[StitchStep, None, None]:
    """Write both slides."""
    facts, numbers = tiles.frame_facts, [each.number for each in tiles.stored]
    channels, dtype = 3 if len(facts["shape"]) == 3 else 1, tiles.read(SHOTS[0], numbers[0]).dtype
    mosaic = stitched.mosaic
    blocks = [(int(row), int(column)) for row, column in np.ndindex(*grid_of(mosaic.shape, BLOCK_PX))]
    for shot in SHOTS:
        canvas = SlideCanvas.create(tiles.part / shot, mosaic.shape, channels, dtype)
        read = partial(_numbered, tiles, shot, numbers)
        for done, (row, column) in enumerate(blocks, 1):
            rows, columns = (
                slice(number * BLOCK_PX, min((number + 1) * BLOCK_PX, side))
                for number, side in zip((row, column), mosaic.shape, strict=True)
            )
            image = blended(mosaic, rows, columns, read)
            if image is not None:
                canvas.write(0, rows.start, columns.start, image)
            yield StitchStep(shot, done, len(blocks))
        for level, shape in enumerate(canvas.levels[1:], 1):
            for row, column in np.ndindex(*grid_of(shape, BLOCK_PX)):
                canvas.halve(level, int(row) * BLOCK_PX, int(column) * BLOCK_PX, BLOCK_PX)
        canvas.finish(_facts(tiles, shot), name=f"shot {shot}", pixel_size_um=facts["pixel_size_um"])


def _numbered(tiles: ScanTiles, shot: str, numbers: list[int], place: int) -> Any:
    """The tile of a place in the mosaic."""
    return tiles.read(shot, numbers[place])


def _facts(tiles: ScanTiles, shot: str) -> dict[str, Any]:
    """What is said of one of the two slides."""
    plan, frame = tiles.plan, tiles.frame_facts
    lens = plan.objective
    if lens is not None and frame["pixel_size_um"]:
        lens = lens.with_pixel_size(frame["pixel_size_um"])
    known = {
        "objective": lens and objective_to_json(lens),
        "bit_depth": frame["bit_depth"],
        "exposure_ms": frame["exposure_ms"],
        "focus_direction": plan.focus_direction or None,
    }
    name = "lower_z_um" if shot == SHOTS[0] else "upper_z_um"
    z_um = [getattr(each, name) for each in tiles.stored if each.state == "written"]
    return {
        "shot": shot,
        "colour": "rgb" if len(frame["shape"]) == 3 else "grey",
        "dz_um": plan.config.dz_um,
        "median_z_um": float(np.median(z_um)) if z_um else None,
        **{key: value for key, value in known.items() if value is not None},
    }
