"""Surfaces of simulated slides and focus points on them, for tests of focus maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_autofocus.slide.focus_map import FocusPoint

Height = Callable[..., np.ndarray]

SIDE_UM = 10_000.0


def wavy_slide(rng: np.random.Generator) -> Height:
    """Tilted by 30 µm over 10 mm in some direction, with four waves of 6 mm or longer that add to ±5 µm."""
    waves, share = rng.uniform(6, 14, 4), rng.uniform(0.3, 1, 4)
    angle, phase, tilt = rng.uniform(0, np.pi, 4), rng.uniform(0, 2 * np.pi, 4), rng.uniform(0, 2 * np.pi)

    def height_um(x_um: np.ndarray, y_um: np.ndarray) -> np.ndarray:
        x, y = np.asarray(x_um) / 1000, np.asarray(y_um) / 1000
        total = 3 * (x * np.cos(tilt) + y * np.sin(tilt))
        for length, part, turn, start in zip(waves, share, angle, phase, strict=True):
            along = 2 * np.pi / length * (x * np.cos(turn) + y * np.sin(turn))
            total = total + 5 * part / share.sum() * np.sin(along + start)
        return total

    return height_um


def surveyed(
    height_um: Height,
    rng: np.random.Generator,
    *,
    side: int = 16,
    noise_um: float = 0.1,
    empty: float = 0.2,
    wrong_um: dict[int, float] | None = None,
) -> list[FocusPoint]:
    """Points on a grid over 10 x 10 mm, row by row; some empty, some wrong by so much."""
    x, y = (values.ravel() for values in np.meshgrid(*[np.linspace(0, SIDE_UM, side)] * 2))
    z = height_um(x, y) + noise_um * rng.normal(size=len(x))
    for index, error_um in (wrong_um or {}).items():
        z[index] += error_um
    has_content = (rng.random(len(x)) >= empty) | np.isin(np.arange(len(x)), [*(wrong_um or {})])
    return [
        FocusPoint(float(px), float(py), float(pz))
        if there
        else FocusPoint(float(px), float(py), None, outcome="empty")
        for px, py, pz, there in zip(x, y, z, has_content, strict=True)
    ]
