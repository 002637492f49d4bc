"""The fields of ``densities.py``: those of ``single_shot.py``, and fields in which only so many cells are left.

A field of k cells is cut from several extremely sparse slides of one stain laid over one another: of the cells that lie
wholly in the frame k are kept, drawn at random, and everything else is taken away. Each field is a pure function of its
group and number, and so are the defocus values that every method starts from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.simulation import Camera, Optics, Scene, Specimen
from napari_autofocus.simulation.content import ContentSheet, FieldContent
from refocus_stands import BACKLASH_UM, LIMITS_UM, SETTLING_S, OnePlace
from single_shot_fields import DENSITIES, PRESET, RANGE_UM, SHAPE, STAINS, Draw, Field, placed

CELLS = (1, 2, 5, 10)
CELL_GROUPS = tuple(f"{count} cell{'s' if count > 1 else ''}" for count in CELLS)
GROUPS = (*DENSITIES, *CELL_GROUPS)
FIRST_SEED = 30_000_000
SLIDES_LAID_OVER = 4
LEAST_CELL_UM2 = 25.0
"""Smaller specks are no cells."""
RIM_PX = 4
"""Stain reaches so far beyond what counts as a cell."""
_PLACES_TRIED = 200
_SLIDE_UM = 3000.0


@dataclass(frozen=True, order=True)
class Ground:
    """Which field: one of :data:`GROUPS` and its number."""

    group: str
    number: int

    @property
    def stain(self) -> str:
        """Stains in turn."""
        return STAINS[self.number % len(STAINS)]

    @property
    def seed(self) -> int:
        """Of the slide."""
        if self.group in DENSITIES:
            return self.nominal.seed
        return FIRST_SEED + 100_000 * CELL_GROUPS.index(self.group) + SLIDES_LAID_OVER * self.number

    @property
    def nominal(self) -> Field:
        """The same field as ``single_shot.py`` has it."""
        return Field("nominal", self.group, self.number)

    @property
    def focus_direction(self) -> int:
        """Of the drive that sweeps have: both in turn, independent of the stain."""
        return 1 if self.number // len(STAINS) % 2 else -1


@dataclass(frozen=True)
class FewCells:
    """A slide on which ``count`` cells in the middle of the field are left, whichever place is looked at.

    Parameters
    ----------
    slides : tuple of Specimen
        Extremely sparse ones, of one stain.
    count : int
        How many cells stay.
    seed : int
        Draws them.
    """

    slides: tuple[Specimen, ...]
    count: int
    seed: int
    density: str = "extremely-sparse"

    def field(
        self, x_um: float, y_um: float, shape: tuple[int, int], pixel_size_um: float, margin_px: int = 0
    ) -> FieldContent:
        """What stands in front of an objective, as ``Specimen.field`` tells it.

        Raises
        ------
        RuntimeError
            If there are fewer cells in the field.
        """
        fields = [slide.field(x_um, y_um, shape, pixel_size_um, margin_px) for slide in self.slides]
        content = np.any([field.sheets[0].content for field in fields], axis=0)
        kept = self._kept(content, margin_px, pixel_size_um)
        rims = cv2.dilate(kept.astype(np.uint8), np.ones((2 * RIM_PX + 1,) * 2, np.uint8)).astype(bool)
        absorbance = np.sum([field.sheets[0].absorbance for field in fields], axis=0) * rims[..., None]
        sheet = ContentSheet(fields[0].sheets[0].height_um, kept, absorbance=absorbance.astype(np.float32))
        return replace(fields[0], sheets=(sheet,))

    def _kept(self, content: npt.NDArray[np.bool_], margin_px: int, pixel_size_um: float) -> npt.NDArray[np.bool_]:
        """Where the cells that stay are; cells nearer to each other than their rims are one."""
        joined = cv2.dilate(content.astype(np.uint8), np.ones((2 * RIM_PX + 3,) * 2, np.uint8))
        _, labels, boxes, _ = cv2.connectedComponentsWithStats(joined)
        area_um2 = np.bincount(labels[content], minlength=len(boxes)) * pixel_size_um**2
        left, top, width, height = boxes[:, 0], boxes[:, 1], boxes[:, 2], boxes[:, 3]
        inside = (np.minimum(left, top) >= margin_px) & (area_um2 >= LEAST_CELL_UM2)
        inside &= (left + width <= content.shape[1] - margin_px) & (top + height <= content.shape[0] - margin_px)
        whole = np.flatnonzero(inside[1:]) + 1
        if whole.size < self.count:
            raise RuntimeError(f"{whole.size} cells lie wholly in the field, of which {self.count} were to be kept.")
        chosen = np.random.default_rng([self.seed, 3]).choice(whole, self.count, replace=False)
        return np.asarray(np.isin(labels, chosen) & content)


@lru_cache(maxsize=1)
def place_of(ground: Ground) -> tuple[Scene, tuple[float, float]]:
    """The scene of a field and where on its slide it lies."""
    if ground.group in DENSITIES:
        return placed(ground.nominal)
    rng, seed = np.random.default_rng([ground.seed, 1]), ground.seed
    slides = tuple(Specimen(ground.stain, "extremely-sparse", seed + n) for n in range(SLIDES_LAID_OVER))
    specimen = FewCells(slides, CELLS[CELL_GROUPS.index(ground.group)], seed)
    camera = Camera(dust_seed=int(rng.integers(1 << 30)))
    scene = Scene(specimen, _usual_optics(), camera, SHAPE)  # type: ignore[arg-type]
    for _ in range(_PLACES_TRIED):
        place = (float(rng.uniform(-_SLIDE_UM, _SLIDE_UM)), float(rng.uniform(-_SLIDE_UM, _SLIDE_UM)))
        try:
            scene.content_at(*place)
        except RuntimeError:
            continue
        return scene, place
    raise RuntimeError(f"{ground}: no place with that many cells found in {_PLACES_TRIED} tries")


@lru_cache(maxsize=1)
def _usual_optics() -> Optics:
    return Optics(PRESET)


def starts_um(ground: Ground, count: int) -> list[float]:
    """True defocus that every method starts from, µm; more of them begin with the same."""
    rng = np.random.default_rng([ground.seed, 2])
    return [float(rng.uniform(-RANGE_UM, RANGE_UM)) for _ in range(count)]


def frames_of(ground: Ground, count: int) -> Iterator[Draw]:
    """One frame at each start."""
    scene, place = place_of(ground)
    focus_um = scene.best_focus_um(*place)
    for number, true_um in enumerate(starts_um(ground, count)):
        rng = np.random.default_rng([ground.seed, 4, number])
        yield Draw(scene.snap(*place, focus_um + true_um, rng=rng), true_um)


class GroundView(OnePlace):
    """What a simulated camera sees of a field."""

    def __init__(self, ground: Ground) -> None:
        scene, place = place_of(ground)
        super().__init__(scene, place)
        self.exposure_ms = scene.camera.default_exposure_ms


def rig_at(view: GroundView, ground: Ground, defocus_um: float) -> SimulatedRig:
    """A simulated microscope over a field, standing at a true defocus, on a virtual clock."""
    rig = simulated_rig(
        view,
        focus_direction=ground.focus_direction,
        backlash_um=BACKLASH_UM,
        settling_s=SETTLING_S,
        exposure_ms=view.exposure_ms,
        clock=VirtualClock(),
        seed=ground.number,
        limits_um=LIMITS_UM,
    )
    view.lit = True
    drive = rig.microscope.focus
    walk_to(drive, drive.position_um() + ground.focus_direction * (defocus_um - rig.true_defocus_um()))
    return rig
