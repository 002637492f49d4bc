"""The tilt of the stage from what is there anyway: the records of runs, and estimates of single frames."""

from __future__ import annotations

from collections.abc import Iterable

from napari_autofocus.focus.deciding.field_tilt import FieldTilt, mean_tilt
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.records import RefocusRecord


def tilt_of(record: object) -> FieldTilt | None:
    """What the record of a run says of the tilt of its field; None of runs that do not tell it."""
    if not isinstance(record, RefocusRecord):
        return None
    slope, error, field_um = record.tilt_um_per_mm, record.tilt_error_um_per_mm, record.field_um
    if slope is None or error is None or field_um is None:
        return None
    return FieldTilt(*slope, *error, width_um=field_um[1], height_um=field_um[0])


def common_tilt(records: Iterable[object]) -> FieldTilt | None:
    """The tilt that several runs have seen alike, each field counted once; None where there is none to speak of."""
    by_place: dict[object, FieldTilt] = {}
    for number, record in enumerate(records):
        tilt = tilt_of(record)
        if tilt is not None:
            place = (getattr(record, "x_um", None), getattr(record, "y_um", None))
            by_place[number if None in place else tuple(round(at or 0.0) for at in place)] = tilt
    return _significant(mean_tilt([*by_place.values()]))


def common_tilt_of_estimates(estimates: Iterable[FocusEstimate]) -> FieldTilt | None:
    """The same of the estimates of frames of several fields."""
    return _significant(mean_tilt([estimate.tilt for estimate in estimates if estimate.tilt is not None]))


def _significant(tilt: FieldTilt | None) -> FieldTilt | None:
    return tilt if tilt is not None and tilt.is_significant else None
