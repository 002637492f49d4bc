"""What is to be recovered of which slides, checked before the first tile; the folder where it is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.io.zarr import own_facts
from napari_autofocus.io.zarr_slide import SlideImage, open_slide
from napari_autofocus.io.zarr_slide_writing import CHUNK_PX, SlideCanvas
from napari_autofocus.models.seeing.optics_check import check_optics
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.virtual.slide_book import SlideBook
from napari_autofocus.workflows.virtual.slide_tiles import UNCERTAINTY, UNCERTAINTY_TIMES, TileRefocuser

TILE_PX = 1024
_SMALLEST_TILE_PX = 64
VIRTUAL = "virtual"
"""Under this key our own facts of an image tell that no camera took it."""


@dataclass(frozen=True)
class SlideSettings:
    """How a slide is recovered.

    Parameters
    ----------
    optics : ImageOptics or None
        How the slides were taken, where they do not say themselves.
    insist : bool
        Go on although the optics are unknown or unlike the model's.
    register : bool
        Take out shifts of the second slide against the first.
    tile_px : int
        Side of a tile, px: a multiple of 64 and of the network's stride.
    """

    optics: ImageOptics | None = None
    insist: bool = False
    register: bool = True
    tile_px: int = TILE_PX


@dataclass(frozen=True, eq=False)
class SlidePlan:
    """Two slides that fit each other and the model.

    Parameters
    ----------
    first, second : SlideImage
        Taken either side of focus, in any order.
    objective : Objective or None
        As the slides or the user say.
    values : mapping
        What tells this plan from any other, in plain values.
    margin_px : int
        How far around a tile is read, px.
    settings : SlideSettings
        How.
    warnings : tuple of str
        What is done in spite of what.
    """

    first: SlideImage
    second: SlideImage
    objective: Objective | None
    values: Mapping[str, Any]
    margin_px: int
    settings: SlideSettings
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, a: Path, b: Path, refocuser: TileRefocuser, settings: SlideSettings) -> SlidePlan:
        """Look at both slides. Raises InputError where they, the model or the settings do not fit each other."""
        card, tile_px = refocuser.card, settings.tile_px
        if tile_px < _SMALLEST_TILE_PX or tile_px % _SMALLEST_TILE_PX or tile_px % card.stride_px:
            raise InputError(f"The side of a tile is a multiple of 64 and of {card.stride_px} px; found {tile_px}.")
        first, second = _pair(a, b)
        lens = first.objective or second.objective
        known = settings.optics or (None if lens is None else ImageOptics(lens))
        colour: Literal["rgb", "mono"] = "rgb" if first.channels == 3 else "mono"
        warnings = check_optics(card, known, colour, insist=settings.insist)
        values = {
            "first slide": first.digest(),
            "second slide": second.digest(),
            "shape": [*first.shape],
            "model": refocuser.fingerprint,
            "tile": tile_px,
            "registered": settings.register,
        }
        margin_px = -(-card.overlap_px // card.stride_px) * card.stride_px
        far = _distance_warning(first, card.half_um)
        objective = None if known is None else known.objective
        return cls(first, second, objective, values, margin_px, settings, (*warnings, *far))

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return grid_of(self.first.shape, self.settings.tile_px)

    @property
    def name(self) -> str:
        """What tells a slide by this plan from any other's."""
        return hashlib.sha256(json.dumps(self.values, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def tile_bytes(self) -> float:
        """Size of what is read for a tile, bytes."""
        side = self.settings.tile_px + 2 * self.margin_px
        return 2.0 * side**2 * self.first.channels * self.first.dtype.itemsize


def grid_of(shape: tuple[int, int], tile_px: int) -> tuple[int, int]:
    """Rows and columns of tiles that cover a shape."""
    return -(-shape[0] // tile_px), -(-shape[1] // tile_px)


def finished_facts(out: Path, plan: SlidePlan) -> Mapping[str, Any] | None:
    """What a slide of that name says of its virtual origin, if this plan has made it; None where there is no slide.

    Raises
    ------
    InputError
        If the name is neither an OME-Zarr's nor inside one, or somebody else's slide lies there.
    """
    is_inside = (out.absolute().parent / "zarr.json").is_file()
    if out.suffix.lower() != ".zarr" and not is_inside:
        raise InputError(f"A slide is written as OME-Zarr; end its name in .zarr (found {out.name}).")
    if not out.exists():
        return None
    facts = own_facts(out).get(VIRTUAL, {}) if out.is_dir() else {}
    if not isinstance(facts, dict) or facts.get("plan") != plan.name:
        raise InputError(f"{out} exists and is not overwritten; choose another name, or move it away.")
    return facts


def begin_folder(out: Path, plan: SlidePlan) -> tuple[Path, SlideBook]:
    """The hidden folder of an unfinished slide and its journal, as an earlier run left them or new.

    Raises
    ------
    InputError
        If an unfinished slide by another plan lies there, or nothing can be written.
    """
    make_folder(out.absolute().parent)
    part, journal = out.with_name(f".{out.name}.part").absolute(), out.with_name(f".{out.name}.journal").absolute()
    if not part.is_dir():
        journal.unlink(missing_ok=True)
    is_new = not journal.exists()
    if is_new:  # the journal begins when the empty image is whole
        first, tile_px = plan.first, plan.settings.tile_px
        chunk_px = CHUNK_PX if tile_px % CHUNK_PX == 0 else tile_px
        SlideCanvas.create(part, first.shape, first.channels, first.dtype, chunk_px=chunk_px)
        coarse = grid_of(first.shape, 2**UNCERTAINTY_TIMES)
        SlideCanvas.create(part / UNCERTAINTY, coarse, 1, np.uint16, chunk_px=tile_px >> UNCERTAINTY_TIMES)
    return part, SlideBook.begin(journal, plan.values)


def _pair(a: Path, b: Path) -> tuple[SlideImage, SlideImage]:
    """Both slides, which fit each other."""
    first, second = open_slide(a), open_slide(b)
    if first.path.resolve() == second.path.resolve():
        raise InputError(f"Both slides are {a}; give two that were taken either side of focus.")
    for what, one, other in (
        ("shape", (first.channels, *first.shape), (second.channels, *second.shape)),
        ("type", first.dtype, second.dtype),
        ("bit depth", first.bit_depth, second.bit_depth),
    ):
        if one != other:
            raise InputError(
                f"Two slides of one sample are of one {what}; found {one} in {a} and {other} in {b}: crop or export"
                " them alike."
            )
    one_um, other_um = first.pixel_size_um, second.pixel_size_um
    if one_um and other_um and not np.isclose(one_um, other_um, rtol=0.01):
        raise InputError(f"The pixels of {a} measure {one_um:.4g} µm, those of {b} {other_um:.4g} µm; resample one.")
    return first, second


def _distance_warning(slide: SlideImage, half_um: tuple[float, float]) -> tuple[str, ...]:
    """What is wrong with the distance of the two shots, where a scan of our own tells it."""
    dz_um = slide.facts.get("dz_um")
    if not isinstance(dz_um, int | float) or half_um[0] <= abs(dz_um) / 2 <= half_um[1]:
        return ()
    low, high = (2 * half for half in half_um)
    return (f"The shots lie {abs(dz_um):g} µm apart; the model was taught on {low:g} to {high:g} µm.",)
