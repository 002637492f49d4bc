"""The routines of the fault campaign: how each is begun, which ends it may have, and where it writes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from useq import AxesBasedAF, MDASequence

from fault_calibrating import calibrate
from fault_stand import BEST_UM, DOF_UM, HOME_UM, LENS, OPTICS, PIXEL_UM, SHAPE, Stand
from napari_autofocus.microscope.lens_knob import PropertyKnob
from napari_autofocus.records import HoldEnd, Outcome
from napari_autofocus.routines.acquire_config import AcquireConfig, RunEnd
from napari_autofocus.routines.follow import FollowConfig, follow
from napari_autofocus.routines.follow_config import FollowEnd
from napari_autofocus.routines.lens_calibration import LensConfig, calibrate_lens
from napari_autofocus.routines.refocus import RefocusConfig, refocus
from napari_autofocus.routines.scout import ScoutConfig, scout
from napari_autofocus.routines.survey import SurveyConfig, SweepSurveyConfig, survey_by_sweep
from napari_autofocus.routines.sweep import SweepConfig, sweep
from napari_autofocus.routines.track import TrackConfig, track
from napari_autofocus.routines.two_shot import refocus_by_pair
from napari_autofocus.routines.virtual_scan import VirtualScanConfig
from napari_autofocus.slide.area import Area
from napari_autofocus.slide.stitching import serpentine
from napari_autofocus.workflows.acquisition import AcquisitionPlan, acquire_stacks
from napari_autofocus.workflows.calibration.record import STACKS
from napari_autofocus.workflows.mda import MdaFocusConfig, acquire_with_autofocus, model_finder
from napari_autofocus.workflows.mda.record import MdaEnd
from napari_autofocus.workflows.survey import survey_slide
from napari_autofocus.workflows.virtual_scan import ScanPlan, scan_slide

Keep = Callable[[Any], None]
Steps = Generator[Any, None, Any]
METHODS = ("uniform", "coarse-to-fine", "hill-climb", "brent", "curve-fit")
GOOD = frozenset({"focused", "already_in_focus", "done"})


@dataclass(frozen=True)
class Routine:
    """One routine under test.

    Parameters
    ----------
    start : callable
        Makes its run on a stand; the record goes to the second argument.
    ends : frozenset of str
        What it may say of its end.
    word : str
        Field of its record with that.
    goes_home : bool
        Whether slide and drive are back unless it ended well (``focused`` stays).
    restores : bool
        Whether it holds the camera's settings for the whole run, so that they may be tampered with meanwhile.
    rounds : int
        A run without an end of its own is closed after so many steps.
    blocks : bool
        Whether it runs to its end in one call and is stopped by the core.
    writes : bool
        Whether it writes files.
    raises : bool
        Whether faults of the hardware end it with an error of its own instead of a record.
    """

    start: Callable[[Stand, Keep], Steps]
    ends: frozenset[str]
    word: str = "outcome"
    goes_home: bool = True
    restores: bool = True
    rounds: int = 3000
    blocks: bool = False
    writes: bool = False
    raises: bool = False


def _refocus(stand: Stand, keep: Keep) -> Steps:
    help_by = SweepConfig(range_um=6.0, dof_um=DOF_UM) if stand.rng.random() < 0.3 else None
    pair = stand.pair() if stand.rng.random() < 0.3 else None
    config = RefocusConfig(optics=OPTICS, sweep=help_by)
    return refocus(stand.rig.microscope, stand.reader(), config, pair=pair, keep=keep)


def _two_shot(stand: Stand, keep: Keep) -> Steps:
    return refocus_by_pair(stand.rig.microscope, stand.pair(), RefocusConfig(optics=OPTICS), keep=keep)


def _sweep(stand: Stand, keep: Keep) -> Steps:
    method: Any = METHODS[int(stand.rng.integers(len(METHODS)))]
    config = SweepConfig(method=method, step_um=1.0, range_um=6.0, furthest_um=9.0, polarity="max")
    return sweep(stand.rig.microscope, config, keep=keep)


def _hold(stand: Stand, keep: Keep) -> Steps:
    stand.rig.z_stage.drift_um_s = 0.08 * float(stand.rng.choice([-1, 1]))
    steps = track(stand.rig.microscope, stand.reader(), TrackConfig(optics=OPTICS), keep=keep)
    try:
        for step in steps:
            stand.rig.clock.sleep(step.wait_s)
            yield step
    finally:
        steps.close()


class _Slope:
    """A focus map."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand

    def z_um(self, x_um: float, y_um: float) -> float:
        """As the slide lies."""
        return self._stand.direction * self._stand.slide.best_focus_um(x_um, y_um)

    def covers(self, x_um: float, _y_um: float) -> bool:
        """As far as was surveyed."""
        return abs(x_um) <= 90


def _follow(stand: Stand, keep: Keep) -> Steps:
    steps = follow(stand.rig.microscope, _Slope(stand), FollowConfig(dead_band_um=0.05), keep=keep)
    try:
        for step in steps:
            yield step
            stand.rig.clock.sleep(step.wait_s)
            x_um, y_um = stand.rng.uniform(-70, 70, 2)
            # Somebody's joystick.
            stand.rig.xy_stage._set_out(stand.rig.xy_stage._glide.target_um, (float(x_um), float(y_um)))
            stand.rig.clock.sleep(0.05)
    finally:
        steps.close()


def places(columns: int = 4, rows: int = 2) -> list[tuple[float, float]]:
    """Places back and forth over the slide, µm."""
    return [
        (x_um, y_um)
        for row, y_um in enumerate((-20.0, 20.0)[:rows])
        for x_um in [(-60.0 + 40.0 * each) for each in range(columns)][:: 1 if row % 2 == 0 else -1]
    ]


def survey_config() -> SurveyConfig:
    """A sweep where the model cannot tell."""
    by_sweep = SweepConfig(range_um=6.0, dof_um=DOF_UM)
    return SurveyConfig(optics=OPTICS, nearby_um=15.0, surface_every=4, sweep=by_sweep)


def _survey(stand: Stand, keep: Keep) -> Steps:
    path = folder_of("survey", stand.folder)
    return survey_slide(stand.rig.microscope, stand.reader(), survey_config(), places(), path=path, keep=keep)


def _survey_by_sweep(stand: Stand, keep: Keep) -> Steps:
    config = SweepSurveyConfig(planes=9, step_um=1.0, dof_um=DOF_UM, patch_px=32)
    return survey_by_sweep(stand.rig.microscope, config, places(2), keep=keep)


def _scout(stand: Stand, keep: Keep) -> Steps:
    return scout(stand.rig.microscope, ScoutConfig(pixel_um=2.0), Area.rectangle(-40, -30, 40, 30), keep=keep)


def _lens(stand: Stand, keep: Keep) -> Steps:
    rig = stand.rig
    knob = PropertyKnob(rig.core, "Lens", "Current-mA", clock=rig.clock, timeout_s=1.0)
    config = LensConfig(low=-60.0, high=60.0, step=30.0, settle_s=0.0, range_um=6.0, overshoot=5.0)
    return calibrate_lens(rig.microscope, knob, config, keep=keep)


def stacks_plan() -> AcquisitionPlan:
    """Three places, five planes each."""
    config = AcquireConfig(range_um=2.0, step_um=1.0, patch_px=32)
    return AcquisitionPlan(tuple(places(3, 1)), config=config, objective=LENS, find_range_um=5.0)


def _acquire(stand: Stand, keep: Keep) -> Steps:
    return acquire_stacks(stand.rig.microscope, stacks_plan(), stand.folder / "stacks", keep=keep)


def scan_plan() -> ScanPlan:
    """Four tiles."""
    field_um = SHAPE[0] * PIXEL_UM, SHAPE[1] * PIXEL_UM
    tiles = serpentine((0.0, 0.0), 2, 2, field_um, 0.25)
    return ScanPlan(tuple(tiles), config=VirtualScanConfig(dz_um=2.0), objective=LENS, find_range_um=5.0)


def _virtual_scan(stand: Stand, keep: Keep) -> Steps:
    return scan_slide(stand.rig.microscope, scan_plan(), stand.folder / "slide.zarr", keep=keep)


def _mda(stand: Stand, keep: Keep) -> Steps:
    """All at once: an acquisition is run by the core, which also stops it."""
    height = stand.direction * BEST_UM
    sequence = MDASequence(
        stage_positions=[(-40.0, 0.0, height + 1.0), (*HOME_UM, height - 1.0)],
        time_plan={"interval": 0, "loops": 2},
        z_plan={"range": 2, "step": 1},
        autofocus_plan=AxesBasedAF(axes=("t", "p")),
    )
    policy: Any = ("keep", "map", "skip", "stop")[int(stand.rng.integers(4))]
    finder = model_finder(stand.reader(), RefocusConfig(optics=OPTICS, sharpness="never"))
    settings, slope = MdaFocusConfig(on_failure=policy), _Slope(stand)
    files = stand.folder / "mda"
    return acquire_with_autofocus(
        stand.rig.microscope, sequence, finder, settings, height=slope.z_um, out=files, keep=keep
    )
    yield  # a generator as the others, which does it all before its first step


_RUN = frozenset(get_args(RunEnd))
_FOCUS = frozenset(get_args(Outcome))
ROUTINES: dict[str, Routine] = {
    "refocus": Routine(_refocus, _FOCUS),
    "refocus by two shots": Routine(_two_shot, _FOCUS),
    "sweep": Routine(_sweep, _FOCUS),
    "hold": Routine(_hold, frozenset(get_args(HoldEnd)), "ended", goes_home=False, restores=False, rounds=14),
    "follow a map": Routine(
        _follow, frozenset(get_args(FollowEnd)), "ended", goes_home=False, restores=False, rounds=12
    ),
    "survey": Routine(_survey, _RUN, writes=True),
    "survey by z-stacks": Routine(_survey_by_sweep, _RUN),
    "overview": Routine(_scout, _RUN),
    "lens calibration": Routine(_lens, _RUN),
    "acquire stacks": Routine(_acquire, _RUN, writes=True),
    "virtual scan": Routine(_virtual_scan, _RUN, writes=True),
    "calibrate": Routine(calibrate, frozenset({"done"}), restores=False, writes=True, raises=True),
    "MDA": Routine(
        _mda, frozenset(get_args(MdaEnd)), goes_home=False, restores=False, blocks=True, writes=True, raises=True
    ),
}


FILES = {
    "survey": "survey.json",
    "acquire stacks": "stacks",
    "virtual scan": "slide.zarr",
    "calibrate": f"mine.calibration/{STACKS}",
    "MDA": "mda",
}


def folder_of(name: str, folder: Path) -> Path:
    """Where a routine writes."""
    return folder / FILES.get(name, "nothing")
