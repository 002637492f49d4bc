"""The microscope as the shell names it: simulated with its slide, or real, after asking; closed on leaving."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from napari_autofocus.cli.parts.options import (
    SIMULATED,
    BacklashUm,
    CameraColour,
    Density,
    ExposureMs,
    FocusDirection,
    LimitsUm,
    MicroscopeName,
    ObjectiveName,
    PixelUm,
    Seed,
    Shape,
    Stain,
    Yes,
    parse_shape,
)
from napari_autofocus.cli.parts.output import say
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.focus.lens_curve import LensCurve
    from napari_autofocus.microscope.drives import StageDrive
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.microscope.simulated import SimulatedRig
    from napari_autofocus.models.package import CardOptics
    from napari_autofocus.optics import Objective
    from napari_autofocus.simulation.scene import Scene

DEFAULT_OBJECTIVE = "20x/0.75"
DEFAULT_EXPOSURE_MS = 25.0
DEFAULT_RANGE_UM, DEFAULT_RANGE_DOF = 10.0, 3.6
"""How far to search unless told: so many µm or, where that is more, so many depths of field."""


@dataclass(frozen=True)
class Stand:
    """What the shell was told of the microscope; None where it was told nothing.

    ``around_um``, ``lens`` and ``runs`` are no options of every command: those that have them fill them in.
    """

    microscope: MicroscopeName = SIMULATED
    objective: ObjectiveName = None
    pixel_um: PixelUm = None
    limits_um: LimitsUm = None
    focus_direction: FocusDirection = None
    backlash_um: BacklashUm = None
    exposure_ms: ExposureMs = None
    yes: Yes = False
    seed: Seed = 0
    around_um: float | None = None
    lens: Path | None = None
    runs: int = 1

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise InputError(f"The number of runs must be at least 1; found {self.runs}.")
        if self.seed < 0:
            raise InputError(f"The seed must not be negative; found {self.seed}.")
        if self.focus_direction not in (None, -1, 1):
            raise InputError(f"The focus direction is +1 or -1; found {self.focus_direction}.")
        for option, value_um in (("--range-um", self.around_um), ("--pixel-um", self.pixel_um)):
            if value_um is not None and not 0 < value_um < math.inf:
                raise InputError(f"{option} must be a positive number of µm; found {value_um:g}.")

    @property
    def is_simulated(self) -> bool:
        """Whether nothing real can move."""
        return self.microscope == SIMULATED

    @property
    def lit_ms(self) -> float:
        """Exposure time that the simulated lamp is set for, ms."""
        return self.exposure_ms or DEFAULT_EXPOSURE_MS

    def curve(self) -> LensCurve | None:
        """Of the tunable lens to focus by; None to focus by the stage. Raises InputError for a file that is none."""
        if self.lens is None:
            return None
        from napari_autofocus.focus.lens_curve import LensCurve

        return LensCurve.load(self.lens)

    def simulated_direction(self) -> int:
        """Focus direction of what focuses a simulated microscope, +1 or −1: a lens knows its own."""
        curve = self.curve()
        known = 0 if curve is None else curve.facts.focus_direction
        return known or self.focus_direction or 1


@dataclass(frozen=True)
class NamedSlide:
    """What lies on the simulated microscope, and the camera that sees it, as they are spelt."""

    stain: Stain = "he"
    density: Density = "dense"
    camera: CameraColour = None
    shape: Shape = "512x612"

    def __post_init__(self) -> None:
        check_camera(self.camera)


@dataclass(frozen=True)
class SimulatedSlide(NamedSlide):
    """One slide."""

    def scene(self, stand: Stand, lens: Objective, **settings: Any) -> Scene:
        """The slide seen through an objective; settings are those of ``Scene.build``."""
        from napari_autofocus.simulation.cameras import usual_camera
        from napari_autofocus.simulation.scene import Scene

        camera, shape = usual_camera(self.stain, self.camera, exposure_ms=stand.lit_ms), parse_shape(self.shape)
        return Scene.build(self.stain, self.density, lens, seed=stand.seed, shape=shape, camera=camera, **settings)


def check_camera(camera: str | None) -> None:
    """Raise InputError for a camera that there is not."""
    if camera not in (None, "rgb", "mono"):
        raise InputError(f"--camera is rgb (8 bit) or mono (16 bit); found {camera!r}.")


def lens_of(stand: Stand, own: CardOptics | None = None) -> Objective | None:
    """The objective that was named; the model's own or 20x/0.75 where none was and the microscope is simulated.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    from napari_autofocus.optics import Objective

    if stand.objective is None and not stand.is_simulated:
        return None
    if stand.objective is None and own is not None:
        pixel_um = own.pixel_size_um if stand.pixel_um is None else stand.pixel_um
        return Objective.parse(own.objective.name, pixel_size_um=pixel_um)
    return Objective.parse(stand.objective or DEFAULT_OBJECTIVE, pixel_size_um=stand.pixel_um)


def usual_range_um(lens: Objective | None, named_um: float | None = None) -> float:
    """How far to either side a search for focus looks: what was named, otherwise 10 µm or 3.6 depths of field."""
    if named_um is not None:
        return named_um
    return DEFAULT_RANGE_UM if lens is None else max(DEFAULT_RANGE_UM, DEFAULT_RANGE_DOF * lens.dof_um)


def simulated(stand: Stand, scene: Scene, **settings: Any) -> SimulatedRig:
    """The simulated microscope in front of a slide, on a clock that costs no time; settings as ``simulated_rig``'s."""
    from napari_autofocus.microscope.clock import VirtualClock
    from napari_autofocus.microscope.simulated import simulated_rig

    told: dict[str, Any] = {
        "focus_direction": stand.focus_direction or 1,
        "backlash_um": 1.0 if stand.backlash_um is None else stand.backlash_um,
        "exposure_ms": scene.camera.default_exposure_ms,
        "seed": stand.seed,
        "limits_um": stand.limits_um,
        "lens": stand.curve(),
    }
    return simulated_rig(scene, clock=VirtualClock(), **{**told, **settings})


Truth = Callable[[float, float], float | None]
"""Position of the drive at which a simulated field is in focus, by its place, µm; None on a real microscope."""


@contextmanager
def slide_microscope(
    stand: Stand, slide: SimulatedSlide, lens: Objective | None
) -> Iterator[tuple[CoreMicroscope, Truth]]:
    """The microscope, simulated or real, and what is known of the truth; closed on leaving."""
    if not stand.is_simulated:
        with connected(stand) as real:
            yield real, lambda _x_um, _y_um: None
        return
    assert lens is not None  # 20x/0.75, where none was named
    with simulated(stand, slide.scene(stand, lens)) as rig:
        sign = stand.simulated_direction()
        yield rig.microscope, lambda x_um, y_um: sign * rig.scene.best_focus_um(x_um, y_um)


@contextmanager
def connected(stand: Stand, *, moves: bool = True) -> Iterator[CoreMicroscope]:
    """The microscope of a configuration file, its limits set where it is to move; closed on leaving.

    A tunable lens touches nothing: its curve is a range that was named.

    Raises
    ------
    InputError
        If the file is missing or cannot be loaded, or neither limits nor a range around here were named.
    HardwareError
        If a device does not answer.
    """
    from napari_autofocus.microscope.controls import set_exposure_ms
    from napari_autofocus.microscope.mmcore import CoreMicroscope

    curve = stand.curve()
    settings: dict[str, Any] = {
        "focus_direction": stand.focus_direction,
        "limits_um": stand.limits_um,
        "lens": curve,
    }
    if stand.backlash_um is not None:
        settings["backlash_um"] = stand.backlash_um
    with CoreMicroscope.connect(stand.microscope, **settings) as microscope:
        if stand.limits_um is None and moves and (curve is None or stand.around_um is not None):
            _stay_around_here(microscope, stand.around_um)
        if stand.exposure_ms is not None:
            set_exposure_ms(microscope, stand.exposure_ms)
        yield microscope


def _stay_around_here(microscope: CoreMicroscope, around_um: float | None) -> None:
    if around_um is None:
        raise InputError(
            "A real microscope moves only inside a range that you name: give --limits-um LOW HIGH, or --range-um R to"
            " stay within R µm of where the drive stands."
        )
    here_um = microscope.focus.position_um()
    low, high = microscope.focus.limits_um
    microscope.focus.set_limits(max(low, here_um - around_um), min(high, here_um + around_um))


def ask_to_move(stand: Stand, what: str) -> None:
    """Say what may move on a real microscope, and how far; go on only with a yes."""
    if not stand.is_simulated:
        say(what)
        require_yes(stand)


def require_yes(stand: Stand, question: str = "Is it safe to move there?") -> None:
    """Raise InputError where nobody agrees. Nothing has moved."""
    if not (stand.yes or _agreed(question)):
        raise InputError("Nothing was moved, because you did not agree; --yes skips the question.")


def _agreed(question: str) -> bool:
    """A person's yes; where nobody can answer, that is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        say("")
        return False


def drive_words(drive: StageDrive) -> str:
    """Where the focus drive stands and how far it will go, as the beginning of a sentence."""
    low, high = drive.limits_um
    name = f"tunable lens {drive.label}" if drive.kind == "lens" else f"focus drive {drive.label}"
    return (
        f"The {name} stands at {drive.position_um():.2f} µm and will move between {low:.2f} and {high:.2f} µm,"
        " overshoot included"
    )


def stage_words(places: Sequence[tuple[float, float]]) -> str:
    """Where the XY stage will go, as a part of a sentence."""
    x_um, y_um = zip(*places, strict=True)
    return (
        f"the stage will move between x {min(x_um):.0f} and {max(x_um):.0f}, y {min(y_um):.0f} and {max(y_um):.0f} µm"
    )
