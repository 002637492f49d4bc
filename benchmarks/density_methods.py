"""The methods that ``densities.py`` compares, each asked about the same fields from the same starts.

A single-frame method gets the frame at the start; a sweep drives the simulated microscope from there. What either says
becomes a ``FieldResult``: of a sweep the estimate is the way it went, so that its error is the defocus it ended at.
Methods that share their work (the patches of one frame, the slide of one field) are asked together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from density_fields import Ground, GroundView, frames_of, rig_at, starts_um
from napari_autofocus.focus.estimate import ImageOptics, PatchPrediction
from napari_autofocus.models.evaluation import KnownFrame, result_of
from napari_autofocus.models.library import find_model
from napari_autofocus.models.metrics import FieldResult
from napari_autofocus.models.predictor import every_patch
from napari_autofocus.routines.searches import SEARCHES
from napari_autofocus.routines.sweep import SweepConfig, sweep
from single_shot_fields import PRESET
from single_shot_networks import fingerprint, package_of, predictor_of
from sweeps import to_end
from whole_image import answer_um, load, weights_of

OURS = "two stages"
MEAN, MEDIAN = "mean of all patches", "median of all patches"
CONTRAST = "median of patches of most contrast"
SWEEPS: tuple[str, ...] = tuple(SEARCHES)
REDUCTIONS = (8, 4)
HALF_THE_CONTRAST = 0.5
_CONTRAST_REDUCTION = 4
Answer = dict[str, Any]
Told = dict[str, list[Answer]]
"""By method: an answer for each start."""
Ask = Callable[[Ground, int], Told]


class Together(Protocol):
    """Methods that are asked together; travels to another process before anything is loaded."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def kept_as(self) -> str:
        """Name of the file of their answers; other weights, another name."""

    def begin(self) -> Ask:
        """What tells their answers from the first starts of a field."""


@dataclass(frozen=True)
class Patches:
    """The two-stage model, and its second stage alone on all patches.

    Parameters
    ----------
    model : str
        Name or file.
    """

    model: str
    methods = (OURS, MEAN, MEDIAN, CONTRAST)

    @property
    def kept_as(self) -> str:
        return f"patches-{fingerprint(find_model(self.model))}"

    def begin(self) -> Ask:
        ours = predictor_of(package_of(self.model), threads=1)
        every = ours.variant(choose=every_patch)

        def ask(frame: KnownFrame) -> dict[str, FieldResult]:
            read = every.estimate(frame.image, insist=True).chosen_patches
            others = {method: plain_result(frame, value) for method, value in pooled(frame.image, read).items()}
            return {OURS: result_of(ours.estimate(frame.image, optics=ImageOptics(PRESET)), frame), **others}

        return lambda ground, draws: of_frames(ask, ground, draws)


@dataclass(frozen=True)
class WholeImage:
    """A network that sees the frame reduced.

    Parameters
    ----------
    folder : Path
        Of the weights.
    reduction : int
        So many times.
    """

    folder: Path
    reduction: int

    @property
    def methods(self) -> tuple[str, ...]:
        return (f"whole image, reduced {self.reduction}",)

    @property
    def kept_as(self) -> str:
        return f"whole-{self.reduction}-{fingerprint(weights_of(self.folder, self.reduction))}"

    def begin(self) -> Ask:
        network = load(weights_of(self.folder, self.reduction))

        def ask(frame: KnownFrame) -> dict[str, FieldResult]:
            value = answer_um(network, frame.image, self.reduction)
            return {self.methods[0]: plain_result(frame, value)}

        return lambda ground, draws: of_frames(ask, ground, draws)


@dataclass(frozen=True)
class Sweeps:
    """Every classical search."""

    methods = SWEEPS
    kept_as = "sweeps"

    def begin(self) -> Ask:
        return swept


def of_frames(ask: Callable[[KnownFrame], dict[str, FieldResult]], ground: Ground, draws: int) -> Told:
    """What single-frame methods say of the frame at each start."""
    told: Told = {}
    for number, draw in enumerate(frames_of(ground, draws)):
        name, slide = f"{ground.seed} at {number}", str(ground.seed)
        frame = KnownFrame(draw.image, draw.true_um, name, slide, ground.stain, ground.group)
        for method, result in ask(frame).items():
            told.setdefault(method, []).append({**asdict(result), "frames": 1})
    return told


def pooled(image: npt.NDArray[np.uint8], read: tuple[PatchPrediction, ...]) -> dict[str, float]:
    """Defocus of a frame by all its patches, µm: three ways to make one number of them."""
    defocus = np.array([patch.defocus_um for patch in read])
    contrast = np.array([contrast_of(image, patch) for patch in read])
    clear = contrast >= HALF_THE_CONTRAST * contrast.max()
    values = float(defocus.mean()), float(np.median(defocus)), float(np.median(defocus[clear]))
    return dict(zip((MEAN, MEDIAN, CONTRAST), values, strict=True))


def contrast_of(image: npt.NDArray[np.uint8], patch: PatchPrediction) -> float:
    """Standard deviation of a patch's grey values, reduced first so that noise does not count."""
    part = image[patch.y : patch.y + patch.size, patch.x : patch.x + patch.size]
    side = patch.size // _CONTRAST_REDUCTION
    return float(cv2.resize(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA).std())


def plain_result(frame: KnownFrame, estimate_um: float) -> FieldResult:
    """The answer of a method that never refuses."""
    return FieldResult(frame.source, frame.slide, frame.stain, frame.density, frame.true_um, estimate_um)


def swept(ground: Ground, draws: int) -> Told:
    """How each sweep fares from each of the first starts of a field."""
    view = GroundView(ground)
    told: Told = {method: [] for method in SWEEPS}
    for number, start_um in enumerate(starts_um(ground, draws)):
        for method in SWEEPS:
            view.lit = False
            told[method].append(_one_sweep(view, ground, method, number, start_um))
    return told


def _one_sweep(view: GroundView, ground: Ground, method: str, number: int, start_um: float) -> Answer:
    config = SweepConfig.for_objective(PRESET, method=method)
    with rig_at(view, ground, start_um) as rig:
        true_um = rig.true_defocus_um()
        record = to_end(sweep(rig.microscope, config))
        end_um = rig.true_defocus_um()
    result = FieldResult(
        source=f"{ground.seed} at {number}",
        slide=str(ground.seed),
        stain=ground.stain,
        density=ground.group,
        true_um=true_um,
        estimate_um=true_um - end_um if record.outcome == "focused" else None,
        verdict=record.verdict or record.outcome,
    )
    more = {"frames": record.frames, "outcome": record.outcome, "end_um": end_um, "virtual_seconds": record.seconds}
    return {**asdict(result), **more}
