"""Runs of a focusing routine for the shell: on a simulated microscope with its truth, or on a real one after asking.

Which routine it is does not matter here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from napari_autofocus.cli.output import say
from napari_autofocus.cli.progress import Advance, progress_bar, run_to_end
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.focus.lens_curve import LensCurve
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.microscope.protocol import Microscope
    from napari_autofocus.microscope.simulated import SimulatedRig
    from napari_autofocus.records import FocusRecord
    from napari_autofocus.simulation.scene import Scene
    from napari_autofocus.workflows.trial_slides import TrialSlides
    from napari_autofocus.workflows.trials import TrialStep

Result = TypeVar("Result")
Record = TypeVar("Record", bound="FocusRecord")
Steps = Generator[Any, None, Result]
Truth = dict[str, Any]
"""What is known on the simulated microscope only: true defocus before and after (start_um, end_um), stain, density."""
UNKNOWN: Truth = {"start_um": None, "end_um": None}

START_WITHIN_UM = 10.0


@dataclass(frozen=True)
class Stand:
    """What the shell was told of the microscope; None where it was told nothing."""

    microscope: str
    runs: int
    seed: int
    limits_um: tuple[float, float] | None = None
    around_um: float | None = None
    focus_direction: int | None = None
    backlash_um: float | None = None
    exposure_ms: float | None = None
    yes: bool = False
    lens: Path | None = None
    camera: str | None = None

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise InputError(f"The number of runs must be at least 1; found {self.runs}.")
        if self.seed < 0:
            raise InputError(f"The seed must not be negative; found {self.seed}.")
        if self.focus_direction not in (None, -1, 1):
            raise InputError(f"The focus direction is +1 or -1; found {self.focus_direction}.")
        if self.camera not in (None, "rgb", "mono"):
            raise InputError(f"--camera is rgb (8 bit) or mono (16 bit); found {self.camera!r}.")
        if self.around_um is not None and not 0 < self.around_um < math.inf:
            raise InputError(f"--range-um must be a positive number of µm; found {self.around_um}.")

    def curve(self) -> LensCurve | None:
        """Of the tunable lens to focus by; None to focus by the stage. Raises InputError for a file that is none."""
        if self.lens is None:
            return None
        from napari_autofocus.focus.lens_curve import LensCurve

        return LensCurve.load(self.lens)


def runs_on_simulated(
    stand: Stand,
    slides: TrialSlides,
    routine: Callable[[Microscope], Steps[Result]],
    *,
    within_um: float = START_WITHIN_UM,
) -> list[tuple[Result, Truth]]:
    """Runs from random fields and starts on a simulated microscope that lives by a virtual clock.

    Starts lie within ± ``within_um`` of focus, µm of true defocus.
    """
    import numpy as np

    from napari_autofocus.workflows.trials import run_trials

    curve = stand.curve()
    known = curve.facts.focus_direction if curve is not None else 0
    rng, ended = np.random.default_rng(stand.seed), list[tuple[Result, Truth]]()
    with progress_bar("focusing") as advance:
        for slide in slides.slides(stand.runs):
            with _rig(stand, slide.scene, curve, seed=stand.seed + len(ended)) as rig:
                trials = run_trials(
                    rig,
                    routine,
                    trials=slide.trials,
                    focus_direction=known or stand.focus_direction or 1,
                    rng=rng,
                    within_um=within_um,
                    serves=slide.serves,
                )
                done = run_to_end(trials, _following(advance, first=len(ended), runs=stand.runs))
            names = {"stain": slide.stain, "density": slide.density}
            ended += [(each.record, {"start_um": each.start_um, "end_um": each.end_um, **names}) for each in done]
    return ended


def _following(advance: Advance, first: int, runs: int) -> Callable[[TrialStep], None]:
    """What moves the bar after each step of trials whose first is that run."""

    def follow(step: TrialStep) -> None:
        advance(first + step.trial, runs, _told(first + step.trial, step.step))

    return follow


def _rig(stand: Stand, scene: Scene, curve: LensCurve | None, seed: int) -> SimulatedRig:
    from napari_autofocus.microscope.clock import VirtualClock
    from napari_autofocus.microscope.simulated import simulated_rig

    return simulated_rig(
        scene,
        focus_direction=stand.focus_direction or 1,
        backlash_um=1.0 if stand.backlash_um is None else stand.backlash_um,
        settling_s=0.05,
        exposure_ms=scene.camera.default_exposure_ms,
        clock=VirtualClock(),
        seed=seed,
        limits_um=stand.limits_um,
        lens=curve,
    )


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


def runs_on_real(
    microscope: CoreMicroscope, stand: Stand, routine: Callable[[Microscope], Steps[Record]]
) -> list[tuple[Record, Truth]]:
    """Runs on real hardware, each from where the drive stands now, after saying what may move and asking.

    A run that fails is the last: nobody knows what is wrong, or a person has taken the drive in hand.

    Raises
    ------
    InputError
        If the person does not agree. Nothing has moved.
    """
    from napari_autofocus.microscope.protocol import walk_to

    start_um = microscope.focus.position_um()
    _ask(microscope, stand)
    ended: list[tuple[Record, Truth]] = []
    with progress_bar("focusing") as advance:
        for index in range(stand.runs):
            if index:
                walk_to(microscope.focus, start_um)
            record = _one_run(routine(microscope), index, stand.runs, advance)
            ended.append((record, UNKNOWN))
            if record.outcome == "failed" and index + 1 < stand.runs:
                say(f"Run {index + 1} failed, so the remaining {stand.runs - index - 1} were not begun.")
                break
    return ended


def _ask(microscope: CoreMicroscope, stand: Stand) -> None:
    """Say what may move and how far; go on only with a yes."""
    drive = microscope.focus
    low, high = drive.limits_um
    name = f"tunable lens {drive.label}" if drive.kind == "lens" else f"focus drive {drive.label}"
    say(
        f"The {name} stands at {drive.position_um():.2f} µm. It will move between {low:.2f} and"
        f" {high:.2f} µm, overshoot included, at most {drive.largest_step_um:g} µm at a time; runs: {stand.runs}."
    )
    if not (stand.yes or agreed("Is it safe to move there?")):
        raise InputError("Nothing was moved, because you did not agree; --yes skips the question.")


def agreed(question: str) -> bool:
    """A person's yes; where nobody can answer, that is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        say("")
        return False


def _one_run(steps: Steps[Record], index: int, runs: int, advance: Advance) -> Record:
    return run_to_end(steps, lambda step: advance(index, runs, _told(index, step)))


def _told(index: int, step: Any) -> str:
    return f"run {index + 1}: {step.phase}, frame {step.index + 1} at {step.z_um:.2f} µm"
