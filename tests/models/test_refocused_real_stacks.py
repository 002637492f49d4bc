"""Two planes either side of focus of stacks that nobody of this project made; skipped where they are absent.

What ships was taught on simulated bright field, and these are of other light: the figures are reported, and only what
must hold for any image is asserted. Run with ``-rP`` to read them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_autofocus.focus.likeness import psnr_db, ssim
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.io import open_stack
from napari_autofocus.models.library import SHIPPED
from napari_autofocus.models.refocuser import VirtualRefocuser, load_refocuser
from tiny_refocusers import recovered

MOST_PX = 512


@pytest.fixture(scope="module")
def shipped() -> VirtualRefocuser:
    if not (SHIPPED / "tsva-20x.zip").exists():
        pytest.skip("tsva-20x is not shipped yet")
    return load_refocuser("tsva-20x")


@pytest.mark.parametrize(
    ("place", "step_um", "apart"),
    [
        ("wafer_reflected_light/level1/ix000_iy000", None, 1),
        ("mitochondria_lightsheet/stack", None, 4),
        ("beads/Bead_Image1_crop.tif", 0.125, 4),
    ],
)
def test_two_planes_either_side_of_focus(
    real_data: Path, shipped: VirtualRefocuser, place: str, step_um: float | None, apart: int
) -> None:
    stack = open_stack(real_data / place, step_um=step_um)
    planes = [np.asarray(stack.plane(index))[:MOST_PX, :MOST_PX] for index in range(len(stack))]
    best = int(np.argmax([sharpness(plane) for plane in planes[apart:-apart]])) + apart
    truth, first, second = (planes[best + step] for step in (0, -apart, apart))

    found = recovered(shipped.refocus(first, second, insist=True))

    shots = max((first, second), key=lambda shot: psnr_db(shot, truth))
    for name, image in (("better shot", shots), ("recovered", found.image)):
        print(f"{place}: {name} {psnr_db(image, truth):.2f} dB, SSIM {ssim(image, truth):.4f}")
    print(f"{place}: {found.verdict}; {' '.join(found.reasons)}")
    assert found.warnings  # nobody is told that these optics are the model's
    assert found.image.dtype == truth.dtype
    assert found.image.shape == truth.shape
    assert psnr_db(found.image, truth) > psnr_db(shots, truth) - 6
