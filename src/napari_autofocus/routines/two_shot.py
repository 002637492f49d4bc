"""Refocus by two shots a known way apart, whose difference tells the side of focus without doubt.

The first shot is taken apart of the start, the second at the start: nothing comes closer before something is known. A
field below focus is then approached without a reversal; for one above focus the drive first steps well below and takes
both shots again. A place is verified by two shots of it, not by one sharper frame alone: they tell how much is left,
with its sign, so that a short move can be corrected, and on the way up the first of them costs no detour. Sharpness has
a veto where it means focus. The order of things, and whatever ends a run, are those of ``refocus.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.focus.estimate import FocusEstimate, PairPredictor
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.records import RefocusRecord
from napari_autofocus.routines.refocus import carry_out, check_pair
from napari_autofocus.routines.refocus_config import RefocusConfig, RefocusStep
from napari_autofocus.routines.refocusing.run import RefocusRun
from napari_autofocus.routines.refocusing.two_shot_seeing import see

__all__ = ["PairRefocusConfig", "RefocusStep", "estimate_by_pair", "refocus_by_pair"]

PairRefocusConfig = RefocusConfig
"""The settings are those of any refocus; ``second_shot_um`` has no meaning here."""


def refocus_by_pair(
    microscope: Microscope,
    predictor: PairPredictor,
    config: PairRefocusConfig,
    *,
    keep: Callable[[RefocusRecord], None] | None = None,
) -> Generator[RefocusStep, None, RefocusRecord]:
    """Bring a field into focus by what a model reads in two shots of it.

    Cancel by closing the generator: the drive is back at the start when ``close`` returns. Where nobody knows which way
    the drive focuses, the two shots are read both ways and nothing moves unless both put focus at the same place; for
    this ``config.probe_um`` has to allow a step as long as the shots are apart.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move.
    predictor : PairPredictor
        What reads two shots.
    config : PairRefocusConfig
        How to go about it.
    keep : callable, optional
        Told the record however the run ends, cancelled runs included (a closed generator returns nothing).

    Yields
    ------
    RefocusStep
        After each frame; ``first`` is the shot that was read with it.

    Returns
    -------
    RefocusRecord
        As of any refocus; its method is ``two-shot``.

    Raises
    ------
    InputError
        If the model refuses the frames, or the distance of the shots. The drive is where it was.
    HardwareError
        If not even the position at the start can be read. Nothing has moved.
    """
    check_pair(predictor, config)
    if config.neighbours and not hasattr(microscope, "move_xy_to"):
        raise InputError("This microscope cannot move its slide; refocus without looking at neighbouring fields.")
    record = yield from carry_out(RefocusRun(microscope, None, config, predictor), keep=keep)
    return record


def estimate_by_pair(
    microscope: Microscope, predictor: PairPredictor, config: PairRefocusConfig
) -> Generator[RefocusStep, None, FocusEstimate]:
    """Tell the defocus here by two shots; the drive goes apart by their distance and comes back, no farther.

    Parameters
    ----------
    microscope, predictor, config
        As for :func:`refocus_by_pair`.

    Yields
    ------
    RefocusStep
        After each of the two frames.

    Returns
    -------
    FocusEstimate
        Of the place where the drive stands, before and after.

    Raises
    ------
    InputError
        If the model refuses the frames, or the distance of the shots.
    HardwareError
        If two shots could not be taken, limits and moves by somebody else included; the drive is brought back where
        that may be done.
    """
    check_pair(predictor, config)
    run = RefocusRun(microscope, None, config, predictor)
    yield from run.guard.supervise(_look(run))
    if not run.looks or run.newest.estimate is None:
        raise HardwareError(" ".join(run.guard.reasons))
    return run.newest.estimate


def _look(run: RefocusRun) -> Generator[RefocusStep, None, None]:
    run.guard.check_start()
    yield from see(run, "shot")
    run.guard.stay = True
