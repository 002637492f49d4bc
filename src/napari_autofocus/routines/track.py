"""Hold focus over time: look now and then, and follow where best focus drifts to.

A hold looks at an interval, keeps a running average of where best focus lies, and moves only when that average has left
a dead band around the drive. It gives way to a person who moves the stage, and stops itself, with a reason, when it can
no longer be trusted. What happens in one round is in ``tracking/run.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from napari_autofocus.focus.estimate import FocusPredictor
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.records import TrackRecord
from napari_autofocus.routines.track_config import TrackConfig, TrackStep
from napari_autofocus.routines.tracking.run import TrackRun

__all__ = ["TrackConfig", "TrackStep", "track"]


def track(
    microscope: Microscope,
    predictor: FocusPredictor,
    config: TrackConfig,
    *,
    keep: Callable[[TrackRecord], None] | None = None,
) -> Generator[TrackStep, None, TrackRecord]:
    """Hold a field in focus until it is closed or stops itself.

    It never waits: each step says for how long the caller should, and anybody may use the microscope meanwhile. Live
    mode is paused, and channel, exposure, region and shutter are put back, round by round. Cancel by closing the
    generator: the drive stays where it is.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move.
    predictor : FocusPredictor
        Tells the defocus of a frame.
    config : TrackConfig
        How to hold.
    keep : callable, optional
        Told the record however the hold ends, cancelled ones included (a closed generator returns nothing).

    Yields
    ------
    TrackStep
        After each round; the state of the last one is ``stopped`` where the hold stopped itself.

    Returns
    -------
    TrackRecord
        What ended it, with reasons, and every round. Hardware faults and refusals are ends, not exceptions.

    Raises
    ------
    HardwareError
        If not even the position at the start can be read. Nothing has moved.
    """
    run = TrackRun(microscope, predictor, config)
    try:
        run.check_start()
        while run.ended is None:
            yield run.round()
    except (GeneratorExit, KeyboardInterrupt):
        run.end("cancelled", f"Ended by the user after {run.rounds} rounds; the drive stays where it is.")
        raise
    finally:
        run.drive.look_again()
        record = run.record()
        if keep is not None:
            keep(record)
    return record
