"""What opinions amount to, how they are stored, and how well annotators agree."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.curve import FocusCurve
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.zstack import StackFocus
from napari_autofocus.labelling.agreement import agreement, cohens_kappa
from napari_autofocus.labelling.entries import LabelEntry
from napari_autofocus.labelling.opinions import (
    BRENNER,
    BRENNER_SOURCE,
    Opinion,
    brenner_opinion,
    consensus,
    opinion_of,
    tolerance_um,
)


def sharp(annotator: str, z_um: float, **more: Any) -> Opinion:
    source = BRENNER_SOURCE if annotator == BRENNER else "person"
    return Opinion("sharp", z_um, annotator=annotator, source=source, **more)


def entry(value: Any, annotator: str = "ann", source: str = "person") -> LabelEntry:
    return LabelEntry(1, "2026-01-01T00:00:00+00:00", annotator, source, "a.tif", "field", "", value, None)


def test_nobody_said_anything() -> None:
    found = consensus([])
    assert (found.status, found.best_z_um, found.needs_person, found.is_usable) == ("unlabelled", None, True, False)


def test_a_measurement_that_can_be_trusted_is_used_until_a_person_speaks() -> None:
    measured = sharp(BRENNER, 1.0)
    assert (consensus([measured]).status, consensus([measured]).best_z_um) == ("brenner", 1.0)
    corrected = consensus([measured, sharp("ann", 4.0)])
    assert (corrected.status, corrected.best_z_um, corrected.brenner) == ("confirmed", 4.0, measured)


def test_a_measurement_that_cannot_be_trusted_needs_a_person_and_is_not_used() -> None:
    found = consensus([sharp(BRENNER, 1.0, trusted=False, reason="Two equal peaks.")])
    assert (found.status, found.is_usable, found.needs_person) == ("brenner", False, True)
    assert found.reason == "Brenner's focus curve cannot be trusted; a person should look. Two equal peaks."


def test_persons_within_the_tolerance_agree_on_the_median() -> None:
    found = consensus([sharp("ann", 1.0), sharp("bob", 1.5), sharp("eve", 1.1)], 0.5)
    assert (found.status, found.best_z_um, found.reason) == ("confirmed", 1.1, "")


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=4), st.floats(0.01, 5))
def test_a_stack_is_disputed_exactly_where_positions_lie_farther_apart(places: list[float], tolerance: float) -> None:
    persons = [sharp(str(number), z_um) for number, z_um in enumerate(places)]
    found = consensus(persons, tolerance)
    assert (found.status == "disputed") == (max(places) - min(places) > tolerance)
    assert found.is_usable == (found.status == "confirmed")


def test_who_spoke_first_does_not_matter() -> None:
    said = (sharp("ann", 1.0), Opinion("two_depths", annotator="bob"), sharp(BRENNER, 2.0))
    assert {consensus(each).status for each in permutations(said)} == {"disputed"}


@pytest.mark.parametrize(
    ("verdict", "status"), [("skip", "skipped"), ("no_content", "confirmed"), ("two_depths", "confirmed")]
)
def test_other_verdicts_are_settled_but_teach_nothing(verdict: Any, status: str) -> None:
    found = consensus([Opinion(verdict, 3.0, annotator="ann")])
    assert (found.status, found.verdict, found.best_z_um, found.is_usable) == (status, verdict, None, False)
    assert "ann says" in found.reason


def test_the_tolerance_is_half_the_depth_of_field_said_or_looked_up_where_it_matters() -> None:
    def never() -> float | None:
        raise AssertionError("nobody should look")

    assert tolerance_um([sharp("ann", 1.0)], never) == 0.5
    assert tolerance_um([sharp("ann", 1.0), sharp("bob", 2.0, dof_um=3.0)], never) == 1.5
    assert tolerance_um([sharp("ann", 1.0), sharp("bob", 2.0)], lambda: 4.0) == 2.0
    assert tolerance_um([sharp("ann", 1.0), sharp("bob", 2.0)], lambda: None) == 0.5


@given(
    st.sampled_from(["sharp", "no_content", "two_depths", "skip"]),
    st.floats(-1e4, 1e4),
    st.one_of(st.none(), st.floats(0, 10)),
    st.booleans(),
    st.text(),
)
def test_an_opinion_comes_back_from_the_store(
    verdict: Any, z_um: float, uncertainty_um: float | None, trusted: bool, reason: str
) -> None:
    said = Opinion(verdict, z_um, uncertainty_um, trusted, "ann", "person", reason=reason, dof_um=1.0)
    back = opinion_of(entry(json.loads(json.dumps(said.to_value()))))
    assert back.to_value() == said.to_value()
    assert (back.annotator, back.time_utc) == ("ann", "2026-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("value", "verdict"), [(1.5, "sharp"), ({"best_z_um": 1.5}, "sharp"), ({"best_z_um": None}, "no_content")]
)
def test_values_of_older_stores_are_opinions_too(value: Any, verdict: str) -> None:
    assert opinion_of(entry(value)).verdict == verdict


@pytest.mark.parametrize("value", [{"best_z_um": "sharp"}, {"verdict": "sharp"}, {"verdict": "maybe"}, True, [1]])
def test_a_value_that_is_no_opinion_is_told_with_its_stack(value: Any) -> None:
    with pytest.raises(InputError, match=r"The label of a\.tif"):
        opinion_of(entry(value))


@pytest.mark.parametrize("z_um", [None, float("nan"), float("inf"), "3"])
def test_sharp_needs_a_position(z_um: Any) -> None:
    with pytest.raises(InputError, match=r"um of an opinion|needs the z"):
        Opinion("sharp", z_um)


@pytest.mark.parametrize(
    ("verdict", "trusted", "said"),
    [
        ("peak", True, "sharp"),
        ("spike", False, "sharp"),
        ("several_peaks", False, "two_depths"),
        ("no_peak", False, "no_content"),
    ],
)
def test_what_brenner_says_of_a_curve(verdict: Any, trusted: bool, said: str) -> None:
    curve = FocusCurve(np.arange(3.0), np.ones(3), verdict, trusted, 1.0, 0.1, 9.0, ("A number.",))
    found = brenner_opinion(StackFocus("a.tif", 3, curve, PatchGrid((8, 8), 8)), dof_um=2.0)
    assert (found.verdict, found.best_z_um, found.trusted, found.curve) == (said, 1.0, trusted, verdict)
    assert (found.is_brenner, found.dof_um, found.reason) == (True, 2.0, "" if trusted else "A number.")


def test_agreement_is_in_micrometres_and_depths_of_field_for_each_pair() -> None:
    opinions = {
        "a": (sharp(BRENNER, 1.0), sharp("ann", 1.2), sharp("bob", 1.1)),
        "b": (sharp(BRENNER, 1.0), sharp("ann", 3.0)),
        "c": (Opinion("no_content", annotator="bob"), Opinion("no_content", annotator="ann")),
        "d": (Opinion("skip", annotator="bob"), sharp("ann", 1.0)),
    }
    persons, ann, bob = agreement(opinions, lambda stack: 2.0)
    assert (persons.first, persons.second, persons.stacks, persons.sharp_stacks) == ("ann", "bob", 2, 1)
    assert (persons.mean_abs_um, persons.same_verdict, persons.kappa) == (pytest.approx(0.1), 1.0, pytest.approx(1.0))
    assert (ann.first, ann.second, ann.stacks) == ("ann", BRENNER, 2)
    assert (ann.mean_abs_um, ann.mean_abs_dof, ann.within_half_dof) == (pytest.approx(1.1), pytest.approx(0.55), 0.5)
    assert (bob.first, bob.stacks, bob.kappa) == ("bob", 1, None)


def test_agreement_without_a_known_depth_of_field_says_so() -> None:
    (pair,) = agreement({"a": (sharp("ann", 1.0), sharp("bob", 2.0))}, lambda stack: None)
    assert (pair.mean_abs_um, pair.mean_abs_dof, pair.within_half_dof) == (1.0, None, None)


def test_kappa_of_a_published_table() -> None:
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: kappa = 0.4, the usual worked example."""
    table = [("sharp", "sharp")] * 20 + [("sharp", "skip")] * 5 + [("skip", "sharp")] * 10 + [("skip", "skip")] * 15
    assert cohens_kappa(table) == pytest.approx(0.4)
    assert cohens_kappa([]) is None
