from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from napari_autofocus.widgets.parts.theme import theme_colours
from napari_autofocus.widgets.plots import FocusCurvePlot


@pytest.fixture
def plot(qtbot: QtBot) -> FocusCurvePlot:
    made = FocusCurvePlot("dark")
    qtbot.addWidget(made)
    return made


def test_points_appear_sorted_and_relative_to_the_highest(plot: FocusCurvePlot) -> None:
    for z_um, sharpness in ((3.0, 5.0), (1.0, 10.0), (2.0, 20.0)):
        plot.add_point(z_um, sharpness)
    z_um, relative = plot._points.getData()
    assert z_um.tolist() == [1.0, 2.0, 3.0]
    assert relative.tolist() == [0.5, 1.0, 0.25]


def test_peak_is_marked_with_its_uncertainty_and_goes_with_clear(plot: FocusCurvePlot) -> None:
    plot.set_curve([0, 5, 10], [1, 2, 1])
    plot.set_peak(5.2, 0.3)
    assert plot.peak_um == pytest.approx(5.2)
    assert plot._band.getRegion() == pytest.approx((4.9, 5.5))
    plot.clear()
    assert plot.peak_um is None
    assert plot.z_um == []


def test_peak_without_curve_point_is_taken_away(plot: FocusCurvePlot) -> None:
    plot.set_peak(1.0, 0.1)
    plot.set_peak(None)
    assert plot.peak_um is None


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_colours_stand_out_from_the_ground_of_the_theme(plot: FocusCurvePlot, theme: str) -> None:
    plot.set_theme(theme)
    colours = theme_colours(theme)
    assert plot._plot.backgroundBrush().color().name() == colours.ground
    for colour in (colours.text, colours.curve, colours.peak, colours.error, colours.warning):
        assert _contrast(colour, colours.ground) > 3


def _contrast(first: str, second: str) -> float:
    """WCAG contrast ratio of two #rrggbb colours; 3 is asked of graphics."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
