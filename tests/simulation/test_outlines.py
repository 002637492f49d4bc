"""Soft outlines and the boxes they are drawn in, against plain geometry."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.simulation.boxes import boxes
from napari_autofocus.simulation.outlines import Outlines, stamps
from napari_autofocus.simulation.scatter import Sites, make_key, scatter
from napari_autofocus.simulation.view import View


def at(x_um: list[float], y_um: list[float]) -> Sites:
    return Sites(np.arange(len(x_um), dtype=np.uint64), np.array(x_um), np.array(y_um))


def oval(long_um: float, short_um: float, angle: float = 0.0, x_um: float = 0.0) -> Outlines:
    one = np.ones(1)
    return Outlines(at([x_um], [0.0]), long_um * one, short_um * one, angle * one, np.zeros((1, 4)))


def cover(view: View, outlines: Outlines) -> np.ndarray:
    canvas = view.blank()
    for stamp in stamps(view, outlines):
        stamp.raise_to(canvas, stamp.coverage())
    return canvas


@pytest.mark.parametrize("pixel_um", [0.1, 0.4, 1.0])
def test_area_of_an_oval_at_any_pixel_size(pixel_um: float) -> None:
    size = int(30 / pixel_um)
    area = cover(View(0.13, 0.07, (size, size), pixel_um), oval(9.0, 4.0, 0.6)).sum() * pixel_um**2
    assert area == pytest.approx(np.pi * 9.0 * 4.0, rel=0.02)


def test_distance_of_a_circle_is_exact() -> None:
    view = View(0.0, 0.0, (61, 61), 0.2)
    (stamp,) = stamps(view, oval(4.0, 4.0))
    true = 4.0 - np.hypot(stamp.boxes.dx_um, stamp.boxes.dy_um)
    assert np.allclose(stamp.distance_um, true, atol=0.01)


def test_edge_is_soft_over_a_pixel_or_as_asked() -> None:
    view = View(0.0, 0.0, (1, 201), 0.1)
    (stamp,) = stamps(view, oval(5.0, 5.0))
    row = stamp.coverage(1.0)[0, 0]
    soft = (row > 0.001) & (row < 0.999)
    assert soft.sum() * 0.1 == pytest.approx(2 * 1.0, abs=0.25)
    assert row[0] == row[-1] == 0.0
    assert cover(view, oval(5.0, 5.0))[0, 100] == 1.0


def test_depth_at_points_agrees_with_the_pixels() -> None:
    view = View(0.0, 0.0, (80, 80), 0.5)
    sites = scatter(make_key(1, "x"), view, 12.0, jitter=0.5, reach_um=20.0)
    outlines = Outlines.draw_lots(sites, (3.0, 6.0), stretch=1.8, lobed=0.06)
    canvas = view.blank(-2.0)
    for stamp in stamps(view, outlines, beyond_um=2.0):
        stamp.raise_to(canvas, stamp.distance_um)
    x, y = np.meshgrid(view.columns_um, view.rows_um)
    depth = outlines.depth_at(x.ravel(), y.ravel(), -2.0).reshape(view.shape)
    assert np.allclose(np.maximum(depth, -2), canvas, atol=1e-3)


def test_points_along_an_outline_lie_on_it() -> None:
    outlines = Outlines.draw_lots(at([0.0], [0.0]), (10.0, 10.0), stretch=1.5, lobed=0.05, orders=4)
    theta = np.linspace(0, 2 * np.pi, 50)
    dx, dy, _ = outlines.along(np.zeros(50, int), theta, np.zeros(50))
    assert np.abs(outlines.depth_at(dx, dy, -5.0)).max() < 1e-3


@pytest.mark.parametrize("long_um", [2.0, 40.0])
def test_outline_half_out_of_view_is_cut_not_lost(long_um: float) -> None:
    view = View(0.0, 0.0, (101, 101), 1.0)
    inside = cover(view, oval(long_um, long_um, x_um=50.0))  # its centre on the last column, half of which is its own
    assert inside.sum() == pytest.approx(np.pi * long_um**2 / 2 + long_um, rel=0.05)
    assert not inside[:, :9].any()


def test_outline_far_away_draws_nothing() -> None:
    assert not list(stamps(View(0.0, 0.0, (50, 50), 1.0), oval(5.0, 5.0, x_um=500.0)))


@pytest.mark.parametrize("reach_um", [3.0, 15.0, 70.0])
def test_boxes_put_back_all_they_took(reach_um: float) -> None:
    view = View(0.0, 0.0, (90, 90), 1.0)
    x, y = np.array([0.0, 1.0, -44.0, 44.0]), np.array([0.0, 0.0, -44.0, 10.0])
    total, highest = view.blank(), view.blank()
    for group in boxes(view, x, y, np.full(4, reach_um)):
        ones = np.ones((len(group.index), group.dy_um.shape[1], group.dx_um.shape[2]), np.float32)
        group.add(total, ones)
        group.raise_to(highest, ones * 0.5)
    size = 2 * (int(reach_um) + 1) + 1
    rows, columns = np.mgrid[:90, :90]
    expected = np.zeros((90, 90))
    for x_px, y_px in zip(np.round(x + 44.5), np.round(y + 44.5), strict=True):
        expected += (np.abs(rows - y_px) <= size // 2) & (np.abs(columns - x_px) <= size // 2)
    assert np.array_equal(total, expected)
    assert np.array_equal(highest, np.minimum(total, 0.5))
