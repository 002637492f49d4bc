"""Curves of tunable lenses as tests want them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_autofocus.focus.lens_curve import LensCurve, LensFacts, LensPoint
from napari_autofocus.focus.lens_fit import fit_lens_curve

VALUES_MA = tuple(range(-120, 121, 10))


def made_curve(
    sign: int = 1, *, device: str = "Lens", name: str = "Current-mA", values: Sequence[float] = VALUES_MA
) -> LensCurve:
    """The true curve of the simulated lens between −120 and 120 mA, or one that falls instead (−1)."""
    shifts_um = sign * np.interp(values, (-250, 0, 250), (-20, 0, 28))
    facts = LensFacts(device, name, "mA")
    return fit_lens_curve(
        [LensPoint(float(value), float(shift), 0.02) for value, shift in zip(values, shifts_um, strict=True)], facts
    )
