"""Who is born how in a population, and how settings are varied."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.workflows.tune.plan import Ranges, Start, TuningSettings, Values, born, varied

USUAL = Values(1e-3, 0.9, 0.02, 0.1)
RANGES = Ranges()
NAMES = tuple(asdict(USUAL))


def _inside(values: Values) -> bool:
    limits = {name: getattr(RANGES, name) for name in NAMES}
    return all(limits[name][0] <= getattr(values, name) <= limits[name][1] for name in NAMES)


def test_the_first_is_born_as_usual_and_the_others_are_spread_over_the_ranges() -> None:
    settings = TuningSettings(population=9, samples=1)
    first, *others = born(settings, USUAL, 1.0)

    assert first == Start(0, 0, 1.0, USUAL)
    assert [start.member for start in others] == [start.taken for start in others] == list(range(1, 9))
    assert all(_inside(start.values) for start in others)
    rates = sorted(np.log(start.values.learning_rate / 1e-4) / np.log(100) * 8 for start in others)
    assert [int(rate) for rate in rates] == list(range(8))  # one in each eighth of the range
    assert {start.width for start in others} == set(RANGES.widths)


def test_the_same_seed_bears_the_same_population_and_another_another() -> None:
    one, other = TuningSettings(samples=1, seed=3), TuningSettings(samples=1, seed=4)

    assert born(one, USUAL, 1.0) == born(one, USUAL, 1.0)
    assert born(one, USUAL, 1.0) != born(other, USUAL, 1.0)


@given(st.integers(0, 10**6))
def test_varied_values_stay_inside_their_ranges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = USUAL
    for _ in range(20):
        values = varied(values, RANGES, rng)
        assert _inside(values)


def test_most_values_change_by_a_fifth_and_some_are_drawn_anew() -> None:
    rates = np.array([varied(USUAL, RANGES, np.random.default_rng(seed)).learning_rate for seed in range(400)])
    a_fifth = np.isclose(rates, 0.8e-3) | np.isclose(rates, 1.2e-3)

    assert 0.68 < a_fifth.mean() < 0.82


def test_dropout_of_nothing_can_grow() -> None:
    none = Values(1e-3, 0.9, 0.02, 0.0)

    assert any(varied(none, RANGES, np.random.default_rng(seed)).dropout > 0 for seed in range(20))


def test_a_start_survives_json() -> None:
    start = Start(3, 1, 0.75, USUAL)
    assert Start.from_json(start.to_json()) == start


def test_the_time_is_shared_by_those_that_learn_one_after_the_other() -> None:
    assert TuningSettings(population=4, minutes=60, workers=1).minutes_each == 15
    assert TuningSettings(population=5, minutes=60, workers=2).minutes_each == 20
    assert TuningSettings(population=2, minutes=60, workers=8).minutes_each == 60
    assert TuningSettings(samples=9).minutes_each is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"population": 1}, "population of at least 2; found 1"),
        ({"generations": 1}, "generations of at least 2; found 1"),
        ({"workers": 0}, "workers of at least 1; found 0"),
        ({"seed": -1}, "seed of at least 0; found -1"),
        ({"minutes": 5}, "either how many minutes"),
        ({"samples": None}, "either how many minutes"),
        ({"samples": None, "minutes": float("nan")}, "positive number of minutes"),
        ({"samples": 0}, "at least one patch"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TuningSettings(**{"samples": 8, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": (0.0, 0.1)},
        {"learning_rate": (1e-2, 1e-3)},
        {"momentum": (0.5, 1.0)},
        {"dropout": (-0.1, 0.5)},
        {"weight_decay": (0.01, float("inf"))},
        {"widths": ()},
        {"widths": (0.0,)},
    ],
)
def test_ranges_that_are_empty_or_too_wide_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Ranges(**wrong)
