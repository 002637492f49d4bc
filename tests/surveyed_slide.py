"""A tilted slide that is quick to look at, and a model that tells its true focus: for tests of surveys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fake_predictor import FakeCard, FakePredictor
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics, PatchPrediction
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.optics import Objective
from napari_autofocus.routines.survey import SurveyConfig
from rigs import RigMaker, TextureScene

Place = tuple[float, float]
OPTICS = ImageOptics(Objective(20, 0.75))
CONFIG = SurveyConfig(optics=OPTICS, nearby_um=20.0, surface_every=4)


class TiltedScene(TextureScene):
    """In focus at another height everywhere: a plane, µm for each µm of x and of y."""

    def __init__(self, tilt: Place = (0.003, -0.002), best_um: float = 1.5, **more: Any) -> None:
        super().__init__((24, 32), best_um, **more)
        self.tilt = tilt
        self.lift: Callable[[float, float], float] = lambda x_um, y_um: 0.0

    def best_focus_um(self, x_um: float, y_um: float) -> float:
        return self.best_um + self.tilt[0] * x_um + self.tilt[1] * y_um + self.lift(x_um, y_um)

    def snap(self, x_um: float, y_um: float, axial_um: float, **more: Any) -> Any:
        away_um = axial_um - self.best_focus_um(x_um, y_um)
        return super().snap(x_um, y_um, self.best_um + away_um, **more)


def serpentine(columns: int, rows: int, spacing_um: float = 500.0) -> list[Place]:
    """A grid around the origin, back and forth."""
    xs = (np.arange(columns) - (columns - 1) / 2) * spacing_um
    ys = (np.arange(rows) - (rows - 1) / 2) * spacing_um
    return [(float(x), float(y)) for row, y in enumerate(ys) for x in (xs if row % 2 == 0 else xs[::-1])]


@dataclass
class Slide:
    """A rig over a tilted slide with a model of it.

    ``says`` makes the model's answer of a place and its true defocus, where a test wants another than the truth.
    """

    rig: SimulatedRig
    direction: int = 1
    empty: Callable[[float, float], bool] = lambda x_um, y_um: False
    says: Callable[[Place, float], FocusEstimate | None] = lambda place, defocus_um: None
    range_um: float = 10.0
    looked_at: list[Place] = field(default_factory=list)
    defocus_um: list[float] = field(default_factory=list)

    @property
    def predictor(self) -> FakePredictor:
        return FakePredictor(self._answer, card=FakeCard(range_um=self.range_um))

    def best_z_um(self, place: Place) -> float:
        """Where the drive stands when a place is in focus, µm."""
        return self.direction * self.rig.scene.best_focus_um(*place)

    def _answer(self, _: np.ndarray) -> FocusEstimate:
        place, defocus_um = self.rig.xy_stage.get_position_um(), self.rig.true_defocus_um()
        self.looked_at.append(place)
        self.defocus_um.append(defocus_um)
        if self.empty(*place):
            return FocusEstimate("no_content", reasons=("Nothing is there.",))
        told = self.says(place, defocus_um)
        if told is not None:
            return told
        if abs(defocus_um) > self.range_um:
            return FocusEstimate("out_of_range", defocus_um, 1.0, reasons=("Too far off.",))
        return flat(defocus_um)


def flat(defocus_um: float) -> FocusEstimate:
    """A trusted answer."""
    return FocusEstimate("flat", defocus_um, 0.05, direction_probability=0.99, reasons=("Flat.",))


def unsure(defocus_um: float) -> FocusEstimate:
    """An answer that is none."""
    return FocusEstimate("unsure", defocus_um, 0.1, direction_probability=0.6, reasons=("The side is undecided.",))


def uneven(centre_um: float, edge_um: float) -> FocusEstimate:
    """Two depths in a field of 24 x 32 px: one at its centre, one around it."""
    centre = [PatchPrediction(8 + i, 12, 8, 0.9, True, centre_um, 0.1, 0.9) for i in range(5)]
    edge = [PatchPrediction(0, 4 * i, 4, 0.9, True, edge_um, 0.1, 0.9) for i in range(7)]
    return FocusEstimate("uneven", edge_um, 0.2, reasons=("Two depths.",), patches=(*centre, *edge))


def flat_at(defocus_um: float, y: int, x: int, size: int = 4) -> FocusEstimate:
    """A trusted answer from one patch."""
    patch = PatchPrediction(y, x, size, 0.9, True, defocus_um, 0.1, 0.9)
    return FocusEstimate("flat", defocus_um, 0.05, direction_probability=0.99, patches=(patch,))


def make_slide(make_rig: RigMaker, direction: int = 1, **settings: Any) -> Slide:
    """A rig of a tilted slide on a virtual clock."""
    scene = settings.pop("scene", None) or TiltedScene()
    rig = make_rig(scene, **{"focus_direction": direction, "backlash_um": 0.5, **settings})
    return Slide(rig, direction)
