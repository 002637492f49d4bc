"""The tilt of the stage from the records of runs."""

from __future__ import annotations

from typing import Any

import pytest

from made_estimates import made_estimate
from made_records import refocus_record, sweep_record
from napari_autofocus.focus.deciding.field_tilt import FieldTilt
from napari_autofocus.records import RefocusRecord
from napari_autofocus.workflows.reports.tilt import common_tilt, common_tilt_of_estimates, tilt_of


def tilted(place: float, **more: Any) -> RefocusRecord:
    told = {"tilt_um_per_mm": (4.5, 0.1), "tilt_error_um_per_mm": (0.3, 0.3), "field_um": (300.0, 400.0)}
    return refocus_record(x_um=place, y_um=0.0, **told | more)


def test_a_record_brings_its_tilt_back_from_json() -> None:
    record = tilted(0.0)
    assert RefocusRecord.from_json(record.to_json()) == record
    found = tilt_of(record)
    assert found == FieldTilt(4.5, 0.1, 0.3, 0.3, 400.0, 300.0)


def test_records_without_one_are_left_out() -> None:
    assert tilt_of(refocus_record()) is None
    assert tilt_of(sweep_record()) is None
    assert common_tilt([refocus_record(), sweep_record(), tilted(0.0), tilted(500.0)]) is None


def test_several_fields_tell_it_together_and_each_counts_once() -> None:
    runs = [tilted(place) for place in (0.0, 500.0, 1000.0)]
    found = common_tilt([*runs, tilted(1000.0), refocus_record()])
    assert found is not None
    assert found.fields == 3
    assert found.across_um == pytest.approx(4.5 * 0.4 + 0.1 * 0.3)


def test_estimates_of_frames_tell_it_as_well() -> None:
    tilt = FieldTilt(4.5, 0.1, 0.3, 0.3, 400.0, 300.0)
    found = common_tilt_of_estimates([made_estimate((64, 64), tilt=tilt)] * 4 + [made_estimate((64, 64))])
    assert found is not None
    assert found.fields == 4
