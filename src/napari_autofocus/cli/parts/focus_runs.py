"""Runs of a focusing routine for the shell: on a simulated microscope with its truth, or on a real one after asking.

Which routine it is does not matter here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from napari_autofocus.cli.parts.options import TrialDensity, TrialStain, parse_shape
from napari_autofocus.cli.parts.output import say
from napari_autofocus.cli.parts.progress import Advance, progress_bar
from napari_autofocus.cli.parts.stand import NamedSlide, Stand, ask_to_move, drive_words, simulated
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.microscope.mmcore import CoreMicroscope
    from napari_autofocus.microscope.protocol import Microscope
    from napari_autofocus.optics import Objective
    from napari_autofocus.records import FocusRecord
    from napari_autofocus.workflows.trial_slides import TrialSlides
    from napari_autofocus.workflows.trials import TrialStep

Result = TypeVar("Result")
Record = TypeVar("Record", bound="FocusRecord")
Steps = Generator[Any, None, Result]
Truth = dict[str, Any]
"""What is known on the simulated microscope only: true defocus before and after (start_um, end_um), stain, density."""
UNKNOWN: Truth = {"start_um": None, "end_um": None}

START_WITHIN_UM = 10.0
SETTLING_S = 0.05


@dataclass(frozen=True)
class SlidesOfRuns(NamedSlide):
    """One slide for all runs, or another for each."""

    stain: TrialStain = "he"
    density: TrialDensity = "dense"

    def slides(self, stand: Stand, lens: Objective, **settings: Any) -> TrialSlides:
        """The slides seen through an objective; settings are those of ``TrialSlides``."""
        from napari_autofocus.workflows.trial_slides import TrialSlides

        shape = parse_shape(self.shape)
        return TrialSlides(
            self.stain, self.density, lens, stand.seed, shape, stand.lit_ms, camera=self.camera, **settings
        )


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

    rng, ended = np.random.default_rng(stand.seed), list[tuple[Result, Truth]]()
    with progress_bar("focusing") as advance:
        for slide in slides.slides(stand.runs):
            with simulated(stand, slide.scene, seed=stand.seed + len(ended), settling_s=SETTLING_S) as rig:
                trials = run_trials(
                    rig,
                    routine,
                    trials=slide.trials,
                    focus_direction=stand.simulated_direction(),
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
    drive = microscope.focus
    step_words = f"at most {drive.largest_step_um:g} µm at a time; runs: {stand.runs}."
    ask_to_move(stand, f"{drive_words(drive)}, {step_words}")
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


def _one_run(steps: Steps[Record], index: int, runs: int, advance: Advance) -> Record:
    return run_to_end(steps, lambda step: advance(index, runs, _told(index, step)))


def _told(index: int, step: Any) -> str:
    return f"run {index + 1}: {step.phase}, frame {step.index + 1} at {step.z_um:.2f} µm"
