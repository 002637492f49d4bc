from __future__ import annotations

import math

import pytest

from napari_autofocus.microscope.foreign import MoveLedger


@pytest.fixture
def ledger() -> MoveLedger:
    return MoveLedger(0.0, tolerance_um=0.1, late_s=0.0)


def test_reports_along_our_own_move_are_ours(ledger: MoveLedger) -> None:
    ledger.begin(0.0, 5.0)
    ledger.report(2.0)
    ledger.end(5.0)
    ledger.read_back(5.05)
    assert ledger.moved_by_others == 0


def test_a_report_off_our_way_is_somebody_elses(ledger: MoveLedger) -> None:
    ledger.begin(0.0, 5.0)
    ledger.report(7.0)
    assert ledger.moved_by_others == 1


def test_a_move_without_a_report_is_noticed_on_reading_back(ledger: MoveLedger) -> None:
    ledger.read_back(3.0)
    ledger.read_back(3.0)
    assert ledger.moved_by_others == 1


def test_the_farthest_place_is_remembered_until_asked_for(ledger: MoveLedger) -> None:
    for z_um in (4.0, -20.0, 0.0):
        ledger.report(z_um)
    assert ledger.take_farthest_um() == (-20.0, 4.0)
    assert ledger.take_farthest_um() == (math.inf, -math.inf)


def test_late_reports_of_our_own_move_are_ours() -> None:
    ledger = MoveLedger(0.0, tolerance_um=0.1, late_s=60.0)
    ledger.begin(0.0, 5.0)
    ledger.end(5.0)
    ledger.report(2.0)
    assert ledger.moved_by_others == 0
    ledger.report(6.0)
    assert ledger.moved_by_others == 1


def test_reports_that_lag_several_moves_behind_are_ours() -> None:
    ledger = MoveLedger(0.0, tolerance_um=0.1, late_s=60.0)
    for start_um, end_um in ((0.0, 5.0), (5.0, 6.0), (6.0, 7.0)):
        ledger.begin(start_um, end_um)
        ledger.end(end_um)
    ledger.report(2.0)
    assert ledger.moved_by_others == 0
    ledger.read_back(2.0)
    assert ledger.moved_by_others == 1


def test_after_a_failed_move_any_place_may_be_ours(ledger: MoveLedger) -> None:
    ledger.begin(0.0, 5.0)
    ledger.lose_track()
    ledger.read_back(2.3)
    assert ledger.moved_by_others == 0
    ledger.read_back(4.0)
    assert ledger.moved_by_others == 1
