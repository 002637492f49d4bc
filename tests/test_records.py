"""Records of sweeps go to JSON and come back unchanged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.records import CurvePoint, SweepRecord

finite = st.floats(allow_nan=False, allow_infinity=False)
records = st.builds(
    SweepRecord,
    method=st.sampled_from(["uniform", "coarse-to-fine", "hill-climb", "brent", "curve-fit"]),
    outcome=st.sampled_from(["focused", "reverted", "cancelled", "timed_out", "refused", "failed"]),
    start_um=finite,
    end_um=finite,
    best_z_um=st.none() | finite,
    uncertainty_um=st.none() | finite,
    verdict=st.text(),
    reasons=st.lists(st.text()).map(tuple),
    frames=st.integers(0, 10**6),
    moves=st.integers(0, 10**6),
    seconds=finite,
    curve=st.lists(st.builds(CurvePoint, z_um=finite, sharpness=finite)).map(tuple),
)


@pytest.fixture
def record() -> SweepRecord:
    return SweepRecord(
        "brent", "focused", 3.0, 1.25, 1.2, 0.04, "peak", ("Peak at 1.20 µm.",), 9, 8, 1.5, (CurvePoint(3.0, 17.5),)
    )


@settings(max_examples=30)
@given(records)
def test_record_comes_back_unchanged(made: SweepRecord) -> None:
    assert SweepRecord.from_json(made.to_json()) == made


def test_json_is_one_plain_object(record: SweepRecord) -> None:
    fields = json.loads(record.to_json())
    assert fields["outcome"] == "focused"
    assert fields["curve"] == [{"z_um": 3.0, "sharpness": 17.5}]
    assert fields["reasons"] == ["Peak at 1.20 µm."]


def test_a_value_that_json_cannot_hold_is_not_written(record: SweepRecord) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        replace(record, end_um=float("nan")).to_json()


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", "{}", '{"curve": [], "reasons": []}', '{"curve": 3}'])
def test_text_that_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not the record of a sweep"):
        SweepRecord.from_json(text)


def test_record_with_an_unknown_field_is_refused(record: SweepRecord) -> None:
    fields = json.loads(record.to_json()) | {"mood": "good"}
    with pytest.raises(InputError, match="mood"):
        SweepRecord.from_json(json.dumps(fields))
