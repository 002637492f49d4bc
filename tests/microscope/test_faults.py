from __future__ import annotations

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.faults import Fault, FaultSchedule


def test_faults_strike_the_calls_they_name() -> None:
    schedule = FaultSchedule([Fault("zero-frame", at=2, times=2), Fault("stage-sticks", at=1)])
    assert [schedule.next_exposure() for _ in range(4)] == [None, "zero-frame", "zero-frame", None]
    assert [schedule.next_command() for _ in range(2)] == ["stage-sticks", None]


@pytest.mark.parametrize("settings", [{"kind": "earthquake", "at": 1}, {"kind": "zero-frame", "at": 0}])
def test_impossible_faults_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Fault(**settings)  # type: ignore[arg-type]
