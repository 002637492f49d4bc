"""What a routine reads in a frame: a model's estimate with the optics of that very frame, sharpness on patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.estimate import FocusEstimate, FocusPredictor, ImageOptics, PatchPrediction
from napari_autofocus.focus.grey import to_grey
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.microscope.protocol import Frame, Image


def estimate_frame(
    frame: Frame,
    predictor: FocusPredictor,
    *,
    optics: ImageOptics | None,
    insist: bool = False,
    region: npt.NDArray[np.bool_] | None = None,
) -> FocusEstimate:
    """Have a frame read by a model; the pixel size that the microscope states is put before the objective's own.

    Raises
    ------
    InputError
        If the optics are refused, or the frame cannot be read.
    """
    if optics is not None and optics.objective is not None and frame.pixel_size_um is not None:
        optics = ImageOptics(optics.objective.with_pixel_size(frame.pixel_size_um))
    if region is not None and region.shape != frame.image.shape[:2]:
        region = None
    return predictor.estimate(frame.image, optics=optics, insist=insist, region=region, bit_depth=frame.bit_depth)


def patch_sharpness(image: Image, patches: Sequence[PatchPrediction], measure: str = "brenner") -> float | None:
    """Mean sharpness of a frame on some patches; None where there is none."""
    if not patches:
        return None
    values = [
        sharpness(to_grey(np.asarray(image[p.y : p.y + p.size, p.x : p.x + p.size], np.float32)), measure)
        for p in patches
    ]
    return float(np.mean(values))
