"""Where a place is expected in focus: its own last focus, the drift of the others, the map, the nearest neighbour."""

from __future__ import annotations

import math

import pytest

from napari_autofocus.workflows.mda.places import PlacesInFocus

A, B, C = (0, None), (1, None), (2, None)
AT = {A: (0.0, 0.0), B: (100.0, 0.0), C: (1000.0, 0.0)}


def expected(book: PlacesInFocus, place: tuple[int, None], planned_um: float = 10.0) -> float:
    return book.expected_um(place, AT[place], planned_um)


def test_a_place_follows_the_drift_of_the_others_since_it_was_focused() -> None:
    book = PlacesInFocus()
    for drift_um in (0.0, 0.5):
        book.found(A, AT[A], 10.0, 11.0 + drift_um)
        if drift_um == 0.0:
            book.found(B, AT[B], 20.0, 24.0)

    assert expected(book, B, 20.0) == pytest.approx(24.5)
    assert expected(book, A) == pytest.approx(11.5)


def test_drift_may_be_left_alone() -> None:
    book = PlacesInFocus(carry_drift=False)
    book.found(A, AT[A], 10.0, 11.0)
    book.found(B, AT[B], 20.0, 24.0)
    book.found(A, AT[A], 10.0, 15.0)

    assert expected(book, B, 20.0) == pytest.approx(24.0)


def test_one_place_that_went_astray_does_not_move_the_others() -> None:
    book = PlacesInFocus()
    places = [(number, None) for number in range(4)]
    for round_ in range(2):
        for place in places[:3]:
            astray_um = 9.0 if round_ and place == (2, None) else 0.1 * round_
            book.found(place, (0.0, 0.0), 0.0, astray_um)
        if round_ == 0:
            book.found(places[3], (0.0, 0.0), 0.0, 0.0)

    assert book.expected_um(places[3], (0.0, 0.0), 0.0) == pytest.approx(0.1)


def test_a_place_never_focused_takes_the_correction_of_the_nearest() -> None:
    book = PlacesInFocus()
    book.found(A, AT[A], 10.0, 11.0)
    book.found(C, AT[C], 10.0, 17.0)

    assert expected(book, B, 30.0) == pytest.approx(31.0)
    assert not book.knows(B)


def test_without_an_xy_stage_the_last_correction_counts() -> None:
    book = PlacesInFocus()
    book.found(A, (math.nan, math.nan), 10.0, 11.0)
    book.found(C, (math.nan, math.nan), 10.0, 17.0)

    assert book.expected_um(B, (math.nan, math.nan), 10.0) == pytest.approx(17.0)


def test_the_map_is_moved_by_what_it_is_off_elsewhere() -> None:
    book = PlacesInFocus(height=lambda x_um, _: x_um / 100)
    book.found(A, AT[A], 0.0, 2.0)

    assert expected(book, B) == pytest.approx(3.0)


@pytest.mark.parametrize("says", [None, math.nan])
def test_where_the_map_says_nothing_the_neighbour_does(says: float | None) -> None:
    book = PlacesInFocus(height=lambda *_: says)
    book.found(A, AT[A], 10.0, 11.0)

    assert book.mapped_um(AT[B]) is None
    assert expected(book, B) == pytest.approx(11.0)


def test_a_place_of_an_untouched_run_is_expected_as_planned() -> None:
    assert expected(PlacesInFocus(), A) == 10.0
