from __future__ import annotations

import math

import pytest
from pytestqt.qtbot import QtBot

from napari_autofocus.widgets.estimate.history import HistoryPlot


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def plot(hands: Hands, qtbot: QtBot) -> HistoryPlot:
    made = HistoryPlot("dark", now_s=hands)
    qtbot.addWidget(made)
    return made


def test_it_remembers_two_minutes(plot: HistoryPlot, hands: Hands) -> None:
    for second in range(200):
        hands.at_s = float(second)
        plot.add(1.0)
    assert plot.points[0][0] == 79.0
    assert plot.points[-1][0] == 199.0


def test_points_are_bounded_however_fast_they_come(plot: HistoryPlot, hands: Hands) -> None:
    for _ in range(5000):
        hands.at_s += 0.001
        plot.add(1.0)
    assert len(plot.points) == 1200


def test_a_refusal_breaks_the_line_once(plot: HistoryPlot) -> None:
    for value in (None, 1.0, None, None, 2.0):
        plot.add(value)
    values = [value for _, value in plot.points]
    assert [value for value in values if math.isfinite(value)] == [1.0, 2.0]
    assert sum(map(math.isnan, values)) == 1


def test_the_newest_is_drawn_at_the_right_edge(plot: HistoryPlot, hands: Hands, qtbot: QtBot) -> None:
    for hands.at_s, value in ((3.0, 5.0), (7.0, -2.0)):
        plot.add(value)
    qtbot.waitUntil(lambda: plot._line.getData()[0] is not None and len(plot._line.getData()[0]) == 2)
    assert plot._line.getData()[0].tolist() == [-4.0, 0.0]
    assert [axis.tolist() for axis in plot._newest.getData()] == [[0.0], [-2.0]]


def test_nothing_runs_once_the_news_are_drawn(plot: HistoryPlot, qtbot: QtBot) -> None:
    plot.add(1.0)
    assert plot._soon.isActive()
    qtbot.waitUntil(lambda: not plot._soon.isActive())


def test_the_band_is_the_depth_of_field(plot: HistoryPlot) -> None:
    plot.set_dof(10.0)
    assert plot._band.getRegion() == (-5.0, 5.0)


def test_clear_forgets(plot: HistoryPlot) -> None:
    plot.add(1.0)
    plot.clear()
    assert plot.points == []
