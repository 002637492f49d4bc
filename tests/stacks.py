"""Small z-stacks whose focus is known."""

from __future__ import annotations

import cv2
import numpy as np

from napari_autofocus.focus.zstack import ZStack


def blurred_stack(best_z_um: float, *, planes: int = 15, shape: tuple[int, int] = (64, 96), seed: int = 0) -> ZStack:
    """Random texture, blurred in proportion to its distance from best focus, with a little noise."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.normal(128, 120, shape), (0, 0), 1.0)
    z_um = np.arange(planes) * 1.0
    blurred = [cv2.GaussianBlur(texture, (0, 0), np.hypot(0.5, 0.8 * (z - best_z_um))) for z in z_um]
    noisy = np.array(blurred) + rng.normal(0, 1.5, (planes, *shape))
    return ZStack(np.clip(noisy, 0, 255).astype(np.uint8), z_um, pixel_size_um=0.5)
