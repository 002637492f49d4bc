"""Measure the curve of a tunable lens: for each of its values, the position of the stage that is sharpest.

Method of Liao et al. (Biomed. Opt. Express 13, 314, 2021): the lens goes through its values in rising order, and for
each a sweep of the stage finds the peak of Brenner's gradient. Whatever ends it, lens and stage go back to where they
were, and camera, shutter and live mode are put back; only what a person has taken in hand is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from napari_autofocus.errors import ForeignMove
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.routines.lens.run import LensRun
from napari_autofocus.routines.lens_config import (
    LensConfig,
    LensKnob,
    LensReading,
    LensRecord,
    LensStep,
)
from napari_autofocus.routines.sweep import sweep
from napari_autofocus.steps import relay

__all__ = ["LensConfig", "LensKnob", "LensReading", "LensRecord", "LensStep", "calibrate_lens"]

Steps = Generator[LensStep, None, None]


def calibrate_lens(
    microscope: Microscope,
    knob: LensKnob,
    config: LensConfig,
    *,
    keep: Callable[[LensRecord], None] | None = None,
) -> Generator[LensStep, None, LensRecord]:
    """Measure by how much each value of a lens shifts the focus.

    Choose a field with much content, roughly in focus at the lens's lowest value or within ``range_um`` of it. Cancel
    by closing the generator: lens and stage are back when ``close`` returns.

    Parameters
    ----------
    microscope : Microscope
        What to look through; its focus drive is the stage that the lens is measured with.
    knob : LensKnob
        What bends the lens.
    config : LensConfig
        Which values, and how.
    keep : callable, optional
        Told the record however the run ends, cancelled runs included (a closed generator returns nothing).

    Yields
    ------
    LensStep
        After each frame and each value.

    Returns
    -------
    LensRecord
        With the curve, or why there is none. Hardware faults and refusals are outcomes, not exceptions.

    Raises
    ------
    InputError
        If the values lie outside of what the device takes. Nothing has moved.
    HardwareError
        If not even the positions at the start can be read. Nothing has moved.
    """
    run = LensRun(microscope, knob, config)
    try:
        yield from run.guard.supervise(_measure_all(run))
    finally:
        record = run.record()
        if keep is not None:
            keep(record)
    return record


def _measure_all(run: LensRun) -> Steps:
    """One value after the other, then the lens back to where it was."""
    run.guard.check_start(run.config.dof_um)
    is_taken_over = False
    try:
        for number in run.numbers():
            yield from _measure(run, number)
        run.fit()
    except ForeignMove:
        is_taken_over = True  # a person has the microscope in hand: nothing more is set
        raise
    finally:
        if not is_taken_over:
            run.put_lens_back()


def _measure(run: LensRun, number: int) -> Steps:
    """The lens to its value, the stage to where focus is expected, and a sweep."""
    run.set_lens(number)
    expected_um = run.expected_um()
    if not run.go_near(expected_um):
        yield run.settled(number, run.out_of_reach(number, expected_um))
        return
    steps = sweep(run.guard.microscope, run.config.search(expected_um))
    record = yield from relay(steps, lambda step: run.looked(number, step))
    yield run.settled(number, run.take_over(number, record))
