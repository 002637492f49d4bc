"""The simulated microscopes of ``refocus.py``: slide, place, optics, drive, start and faults of each run.

Every run is a pure function of its case and number. Its slide is none of those that ``single_shot.py`` uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.faults import CameraFault, Fault, FaultKind, StageFault
from napari_autofocus.microscope.protocol import Image, walk_to
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.optics import PRESETS
from napari_autofocus.simulation import Optics, Scene
from napari_autofocus.simulation.psf import DEFAULT_CHROMATIC_SHIFT
from single_shot_fields import DENSITIES, EVEN, PRESET, SHAPE, Field, placed

CASES = ("content", "empty", "hand-turned", "wrong-optics", "faults", "unknown-direction")
FIRST_NUMBER = 50_000
"""Fields of ``single_shot.py`` are numbered from 0."""
START_WITHIN_UM = 10.0
BACKLASH_UM = 1.0
DRIFT_UM_S = 0.02
SETTLING_S = 0.05
LIMITS_UM = (-60.0, 60.0)
NEAR_LIMITS_UM = 4.0
"""With faults the limits lie so far beyond start and focus: what goes astray meets them."""
SMALL_SHAPE = (512, 612)
MOST_TIMES = 1000

MIRRORED = Optics(
    PRESET,
    spherical_waves=-0.25,
    chromatic_shift_um=tuple(-share * Optics(PRESET).axial_scale_um for share in DEFAULT_CHROMATIC_SHIFT),  # type: ignore[arg-type]
)
"""Aberrations of the opposite sign: the side that the model was taught to call too close is now too far apart."""
WRONG_OPTICS: dict[str, tuple[Optics, ImageOptics | None]] = {
    "mirrored, told as unknown": (MIRRORED, None),
    "mirrored, told as the model's": (MIRRORED, ImageOptics(PRESET)),
    "even 20x/0.6": (Optics(EVEN[0], even=True), ImageOptics(EVEN[0])),
    "10x/0.3": (Optics(PRESETS["10x/0.3"]), ImageOptics(PRESETS["10x/0.3"])),
    "40x/0.95": (Optics(PRESETS["40x/0.95"]), ImageOptics(PRESETS["40x/0.95"])),
}
"""What stands there, and what the model is told of it."""


@dataclass(frozen=True, order=True)
class Start:
    """One run: its case and number."""

    case: str
    number: int

    @property
    def rng(self) -> np.random.Generator:
        """What start, drift and faults are drawn from, the same every time."""
        return np.random.default_rng([FIRST_NUMBER, CASES.index(self.case), self.number])

    @property
    def field(self) -> Field:
        """Densities in turn, each with all stains in turn; no extremely sparse ones with faults.

        Where the direction is unknown the fields are those of the content case.
        """
        if self.case == "empty":
            return Field("empty", "empty", FIRST_NUMBER + self.number)
        if self.case == "faults":  # a part of a field, which among few cells may well be empty
            return Field("nominal", DENSITIES[self.number // 6 % 2], FIRST_NUMBER + 40_000 + self.number)
        density = DENSITIES[self.number % len(DENSITIES)]
        first = FIRST_NUMBER + (0 if self.case == "unknown-direction" else 10_000 * CASES.index(self.case))
        return Field("nominal", density, first + self.number // len(DENSITIES))

    @property
    def focus_direction(self) -> int:
        """Both in turn, independent of density and stain."""
        return 1 if self.number // 12 % 2 else -1

    @property
    def wrong(self) -> str:
        """Name of the wrong optics; empty where they are right."""
        return [*WRONG_OPTICS][self.number // 3 % len(WRONG_OPTICS)] if self.case == "wrong-optics" else ""

    @property
    def told_optics(self) -> ImageOptics | None:
        """What the model is told."""
        return WRONG_OPTICS[self.wrong][1] if self.wrong else ImageOptics(PRESET)

    @property
    def dof_um(self) -> float:
        """Depth of field of the lens that stands there, µm."""
        return WRONG_OPTICS[self.wrong][0].objective.dof_um if self.wrong else PRESET.dof_um

    @property
    def faults(self) -> tuple[Fault, ...]:
        """One fault of each kind in turn, once, a few times or for good; in a third of the runs a second one."""
        if self.case != "faults":
            return ()
        rng, kinds = self.rng, get_args(CameraFault) + get_args(StageFault)
        second = [str(rng.choice(kinds))] if self.number % 3 == 0 else []
        return tuple(_fault(kind, rng) for kind in [kinds[self.number % len(kinds)], *second])  # type: ignore[arg-type]


def _fault(kind: FaultKind, rng: np.random.Generator) -> Fault:
    """Strikes one of the first three frames, or one of the first six commands (a backlash approach takes two)."""
    latest = 3 if kind in get_args(CameraFault) else 6
    return Fault(kind, int(rng.integers(1, latest + 1)), int(rng.choice([1, 1, 2, MOST_TIMES])))


class OnePlace:
    """A scene seen at one place of its slide; its truth is worked out once, and nothing is drawn until it is needed."""

    def __init__(self, scene: Scene, place: tuple[float, float]) -> None:
        self._scene, self._place = scene, place
        self.shape, self.pixel_size_um = scene.shape, scene.pixel_size_um
        self.focus_um = scene.best_focus_um(*place)
        self.lit = False

    def best_focus_um(self, x_um: float, y_um: float) -> float:  # noqa: ARG002
        return self.focus_um

    def snap(
        self, x_um: float, y_um: float, axial_um: float, *, exposure_ms: float | None = None, rng: np.random.Generator
    ) -> Image:
        if not self.lit:
            return np.zeros((*self.shape, 3), np.uint8)
        x_um, y_um = self._place[0] + x_um, self._place[1] + y_um
        return self._scene.snap(x_um, y_um, axial_um, exposure_ms=exposure_ms, rng=rng)


def rig_of(start: Start) -> SimulatedRig:
    """The microscope of a run, standing at its start, its faults about to strike."""
    rng = start.rng
    defocus_um, drift = float(rng.uniform(-START_WITHIN_UM, START_WITHIN_UM)), float(rng.choice([-1, 1]))
    scene, place = _scene(start)
    view = OnePlace(scene, place)
    focus_z_um = start.focus_direction * view.focus_um
    rig = simulated_rig(
        view,
        focus_direction=start.focus_direction,
        tells_direction=start.case != "unknown-direction",
        backlash_um=BACKLASH_UM,
        settling_s=SETTLING_S,
        drift_um_s=drift * DRIFT_UM_S,
        exposure_ms=scene.camera.default_exposure_ms,
        clock=VirtualClock(),
        seed=start.number,
        limits_um=_limits_um(start, focus_z_um, focus_z_um + start.focus_direction * defocus_um),
    )
    view.lit = True
    _go_to(rig, defocus_um, start)
    _arm(rig, start.faults)
    return rig


def _limits_um(start: Start, focus_z_um: float, start_z_um: float) -> tuple[float, float]:
    if start.case != "faults":
        return LIMITS_UM
    low, high = sorted((focus_z_um, start_z_um, 0.0))[::2]
    return low - NEAR_LIMITS_UM, high + NEAR_LIMITS_UM


def _scene(start: Start) -> tuple[Scene, tuple[float, float]]:
    scene, place = placed(start.field)
    if start.wrong:
        return Scene(scene.specimen, WRONG_OPTICS[start.wrong][0], scene.camera, SHAPE), place
    if start.case == "faults":
        return Scene(scene.specimen, scene.optics, scene.camera, SMALL_SHAPE), place
    return scene, place


def _go_to(rig: SimulatedRig, defocus_um: float, start: Start) -> None:
    """Bring the field to a true defocus: as a drive of ours arrives, or as a hand does, from the other side."""
    drive, direction = rig.microscope.focus, start.focus_direction
    if start.case != "hand-turned":
        walk_to(drive, drive.position_um() + direction * (defocus_um - rig.true_defocus_um()))
        return
    side = -direction  # sample and objective come apart: the play is taken up the wrong way
    _turn(rig, drive.position_um() + direction * (defocus_um - rig.true_defocus_um()) - side * 5.0)
    _turn(rig, drive.position_um() + side * 2.0)
    _turn(rig, drive.position_um() + direction * (defocus_um - rig.true_defocus_um()))


def _turn(rig: SimulatedRig, z_um: float) -> None:
    rig.core.setPosition(z_um)
    rig.clock.sleep(2.0)


def _arm(rig: SimulatedRig, faults: tuple[Fault, ...]) -> None:
    """Count exposures and commands from here."""
    schedule = rig.z_stage._faults
    schedule._camera = [fault for fault in faults if fault.kind in get_args(CameraFault)]
    schedule._stage = [fault for fault in faults if fault.kind in get_args(StageFault)]
    schedule.exposures = schedule.commands = 0
    rig.z_stage.commands_um.clear()
