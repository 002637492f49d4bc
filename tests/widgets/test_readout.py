from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from made_estimates import WARNING, MadeCard, empty_estimate, made_estimate
from napari_autofocus.errors import InputError, OpticsRefused
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.widgets.estimate.gauge import Gauge
from napari_autofocus.widgets.estimate.readout import Readout, needle_of
from napari_autofocus.widgets.focus_state import Estimated, FocusState, Seen
from napari_autofocus.widgets.parts.theme import theme_colours

SHAPE = (128, 160)


@pytest.fixture
def state() -> FocusState:
    made = FocusState()
    made.use_model(SimpleNamespace(card=MadeCard()))
    return made


@pytest.fixture
def readout(state: FocusState, qtbot: QtBot) -> Readout:
    made = Readout(state, "dark")
    made.resize(370, 140)
    qtbot.addWidget(made)
    return made


def told(state: FocusState, estimate: FocusEstimate) -> None:
    state.tell(Estimated(Seen(np.zeros(SHAPE, np.uint8), "Camera"), estimate))


def test_an_estimate_is_a_headline_a_detail_and_a_needle(readout: Readout, state: FocusState) -> None:
    told(state, made_estimate(SHAPE, 3.42))
    assert readout.headline.text() == "+3.4 ± 0.1 µm: too close"
    assert "direction 99.9 %" in readout.detail.text()
    assert readout.gauge.needle.defocus_um == 3.42
    assert "agree within" in readout.detail.toolTip()


def test_a_newer_estimate_takes_the_place_of_the_older_one(readout: Readout, state: FocusState) -> None:
    told(state, empty_estimate(SHAPE))
    assert readout.gauge.needle is None
    assert readout.advice.text().startswith("Move to a place with sample")
    told(state, made_estimate(SHAPE, -0.1))
    assert readout.headline.text() == "−0.1 ± 0.1 µm: in focus"
    assert readout.advice.text() == ""
    assert theme_colours("dark").good in readout.headline.styleSheet()


def test_warnings_stay_visible(readout: Readout, state: FocusState) -> None:
    told(state, made_estimate(SHAPE, warnings=(WARNING,)))
    assert readout.warnings.text() == WARNING
    assert readout.warnings.tone == "warning"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (InputError("The frame is too small."), "The frame is too small."),
        (OpticsRefused("long", ("NA",)), "The optics do not fit the model: see above."),
    ],
)
def test_a_refusal_takes_the_number_away_and_says_why(
    readout: Readout, state: FocusState, error: Exception, advice: str
) -> None:
    told(state, made_estimate(SHAPE))
    state.tell_refused(error)
    assert (readout.headline.text(), readout.advice.text()) == ("No estimate", advice)
    assert readout.gauge.needle is None


def test_what_is_forgotten_is_shown_no_more(readout: Readout, state: FocusState) -> None:
    told(state, made_estimate(SHAPE, warnings=(WARNING,)))
    state.clear()
    assert readout.headline.text() == "No estimate"
    assert readout.warnings.text() == readout.detail.text() == ""


def test_the_gauge_has_the_scale_of_the_model(readout: Readout) -> None:
    assert readout.gauge.ticks_um() == [-10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize("range_um", [0.7, 3.0, 10.0, 45.0])
def test_ticks_are_few_round_and_inside(range_um: float, qtbot: QtBot) -> None:
    gauge = Gauge("light")
    qtbot.addWidget(gauge)
    gauge.set_scale(range_um, 1.0)
    ticks = gauge.ticks_um()
    assert 3 <= len(ticks) <= 11
    assert 0.0 in ticks
    assert max(ticks) <= range_um


def test_the_needle_stands_left_of_focus_where_sample_and_objective_are_too_far_apart(readout: Readout) -> None:
    gauge = readout.gauge
    assert gauge.x_of(-3.0) < gauge.x_of(0.0) < gauge.x_of(3.0)
    assert gauge.x_of(99.0) == gauge.x_of(10.0)


def test_the_needle_moves_in_the_picture(readout: Readout, state: FocusState) -> None:
    pictures = []
    for defocus_um in (-5.0, 5.0, 15.0):
        told(state, made_estimate(SHAPE, defocus_um))
        pictures.append(readout.gauge.grab().toImage())
    assert pictures[0] != pictures[1] != pictures[2]


def test_an_uneven_field_points_over_its_whole_scan() -> None:
    needle = needle_of(FocusEstimate("uneven", defocus_um=1.0, scan_um=(-1.2, 3.4), interval90_um=(0.9, 1.1)))
    assert needle is not None
    assert (needle.low_um, needle.high_um, needle.sure) == (-1.2, 3.4, False)
