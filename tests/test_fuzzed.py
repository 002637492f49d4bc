"""Damaged and hostile inputs of every kind, a few of each; ``python -m fuzz`` makes as many as one likes."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz.edits import KINDS, Edit, drawn, edited
from fuzz.registry import TARGETS
from fuzz.run import SMALL_PLANE
from fuzz.targets import Target
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_autofocus.io.care import limits

EDITS = st.builds(Edit, st.sampled_from(sorted(KINDS)), st.floats(0, 1, exclude_max=True), st.integers(0, 2**16 - 1))
SLOW = ("model-", "commands")


@pytest.fixture(autouse=True)
def _as_fuzzing_wants_it(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small planes, and libraries' warnings as a user has them."""
    monkeypatch.setattr(limits, "LARGEST_PLANE", SMALL_PLANE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("target", [pytest.param(target, id=target.name) for target in TARGETS])
def test_a_good_input_is_opened(target: Target, tmp_path: Path) -> None:
    outcome = target.run(target.seeds[0], tmp_path / "here")
    assert outcome.ended == ("opened" if target.opens else "refused"), outcome


@pytest.mark.parametrize(
    "target", [pytest.param(target, id=target.name) for target in TARGETS if not target.name.startswith(SLOW)]
)
def test_a_hostile_input_ends_in_one_sentence(target: Target, tmp_path: Path) -> None:
    @settings(max_examples=6, suppress_health_check=list(HealthCheck), database=None)
    @given(which=st.integers(0, 99), edits=st.lists(EDITS, min_size=1, max_size=3))
    def never(which: int, edits: list[Edit]) -> None:
        outcome = target.run(edited(target.seeds[which % len(target.seeds)], edits), tmp_path / "here")
        assert outcome.ended != "found", outcome

    never()


@pytest.mark.parametrize("target", [pytest.param(each, id=each.name) for each in TARGETS if each.name.startswith(SLOW)])
@pytest.mark.parametrize("seed", range(3))
def test_a_hostile_model_or_command_ends_in_one_sentence(target: Target, seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    outcome = target.run(edited(rng.choice(target.seeds), drawn(rng)), tmp_path / "here")
    assert outcome.ended != "found", outcome
