"""What the Refocus tab says beside a run's outcome: steps of a sweep, when reasons help, how the sample lies. No Qt."""

from __future__ import annotations

from collections.abc import Sequence

from napari_autofocus.records import FocusRecord, RefocusRecord
from napari_autofocus.routines.sweep import SweepStep
from napari_autofocus.widgets.parts.sentences import plain_um
from napari_autofocus.workflows.reports.tilt import common_tilt, tilt_of

SAME_PLACE_UM = 0.2
"""Two positions of a drive that differ by no more are the same to a user."""
_RUNS_ASKED = 20
"""The newest runs tell the tilt of the stage; older ones may be of another insert."""


def sweep_step(step: SweepStep) -> str:
    """How far a sweep is."""
    of = f" of about {step.planned}" if step.planned else ""
    return f"Sweeping: frame {step.index + 1}{of}, z {plain_um(step.z_um)}"


def reasons_of(record: FocusRecord) -> tuple[str, ...]:
    """Why a run ended as it did; none where that went well, or where it was cancelled and is back."""
    back = abs(record.end_um - record.start_um) <= SAME_PLACE_UM
    silent = record.outcome in ("focused", "already_in_focus") or (record.outcome == "cancelled" and back)
    return () if silent else tuple(record.reasons)


def tilt_words(record: FocusRecord, others: Sequence[FocusRecord]) -> tuple[str, ...]:
    """How the sample lies askew, where that shows: by all runs that saw the same, otherwise by this one.

    Parameters
    ----------
    record : FocusRecord
        The run that has just ended.
    others : sequence of FocusRecord
        Those before it, the oldest first.
    """
    own = tilt_of(record)
    if own is None or not isinstance(record, RefocusRecord):
        return ()
    tilt = common_tilt([*others[-_RUNS_ASKED:], record]) or own
    return (tilt.sentence(record.dof_um),) if tilt.across_um >= record.dof_um / 2 and tilt.is_significant else ()
