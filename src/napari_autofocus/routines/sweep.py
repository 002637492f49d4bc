"""Sweep to focus: look at several heights, find the peak of the focus curve, go there if it can be trusted.

Classical autofocus with one promise: it never leaves the drive at a worse place than it found it. Whatever ends a run
without a verified peak, be it a failure, a cancel, a time-out or doubt, sends the drive back to where it started; only
where a person has moved the drive meanwhile is it left alone. How the heights are chosen is in ``searches.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.searches import SEARCHES, Visit
from napari_autofocus.routines.sweep_config import SweepConfig, SweepStep
from napari_autofocus.routines.sweeping.run import Measure, SweepRun, named_measure

__all__ = ["Measure", "SweepConfig", "SweepStep", "sweep"]

Steps = Generator[SweepStep, None, None]


def sweep(
    microscope: Microscope,
    config: SweepConfig,
    *,
    measure: Measure | None = None,
    keep: Callable[[SweepRecord], None] | None = None,
) -> Generator[SweepStep, None, SweepRecord]:
    """Focus a field by a classical search.

    Cancel by closing the generator: the drive is back at the start when ``close`` returns.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move.
    config : SweepConfig
        How to search.
    measure : callable, optional
        Sharpness of an image, instead of ``config.measure`` in ``config.roi``.
    keep : callable, optional
        Told the record however the run ends, cancelled runs included (a closed generator returns nothing).

    Yields
    ------
    SweepStep
        After each frame.

    Returns
    -------
    SweepRecord
        Outcome, verdict, reasons and every sample. Hardware faults and refusals are outcomes, not exceptions.

    Raises
    ------
    InputError
        If the measure cannot be applied to the frames (unknown name, a region outside the image). The drive is back.
    HardwareError
        If not even the position at the start can be read. Nothing has moved.
    """
    run = SweepRun(microscope, config, measure or named_measure(config))
    try:
        yield from run.guard.supervise(_look_and_judge(run))
    finally:
        record = run.record()
        if keep is not None:
            keep(record)
    return record


def _look_and_judge(run: SweepRun) -> Steps:
    """The start, the search, the range extended as long as the peak lies at its edge, and the verified move."""
    run.guard.check_start(run.config.fine_step_um)
    for _ in range(run.config.noise_frames):
        run.look()
        yield run.step(Visit(run.guard.start_um, "start"))
    window: tuple[float, float] | None = run.first_window()
    while window is not None:
        yield from _search(run, window)
        run.judge()
        window = run.window_beyond(window)
    if run.may_go_to_peak():
        run.go_and_verify()
        yield run.step(Visit(run.guard.drive.last_um, "verify", 0))


def _search(run: SweepRun, window: tuple[float, float]) -> Steps:
    """Take every sample that the search asks for inside the window."""
    search = SEARCHES[run.config.method](run.plan(window))
    visit = next(search, None)
    while visit is not None:
        point = run.look_at(visit.z_um)
        yield run.step(visit)
        try:
            visit = search.send(point)
        except StopIteration:
            return
