"""What a routine reads in a frame: a model's estimate with the optics of that very frame, sharpness on patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.estimate import FocusEstimate, FocusPredictor, ImageOptics, PairPredictor, PatchPrediction
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
    return predictor.estimate(
        frame.image,
        optics=_optics_of(frame, optics),
        insist=insist,
        region=_region_of(frame, region),
        bit_depth=frame.bit_depth,
    )


def estimate_frames(
    first: Frame,
    second: Frame,
    predictor: PairPredictor,
    *,
    dz_um: float,
    optics: ImageOptics | None,
    insist: bool = False,
    region: npt.NDArray[np.bool_] | None = None,
) -> FocusEstimate:
    """Have two frames of one field read by a model of two shots; the estimate is of the second.

    Parameters
    ----------
    dz_um : float
        Defocus of the second minus the first's, µm; either sign.

    Raises
    ------
    InputError
        If the optics are refused, or the frames cannot be read together.
    """
    return predictor.estimate_pair(
        first.image,
        second.image,
        dz_um=dz_um,
        optics=_optics_of(second, optics),
        insist=insist,
        region=_region_of(second, region),
        bit_depth=second.bit_depth,
    )


def _optics_of(frame: Frame, optics: ImageOptics | None) -> ImageOptics | None:
    if optics is None or optics.objective is None or frame.pixel_size_um is None:
        return optics
    return ImageOptics(optics.objective.with_pixel_size(frame.pixel_size_um))


def _region_of(frame: Frame, region: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_] | None:
    """A region drawn on an image of another shape says nothing of this one."""
    return None if region is None or region.shape != frame.image.shape[:2] else region


def patch_sharpness(image: Image, patches: Sequence[PatchPrediction], measure: str = "brenner") -> float | None:
    """Mean sharpness of a frame on some patches; None where there is none."""
    if not patches:
        return None
    values = [
        sharpness(to_grey(np.asarray(image[p.y : p.y + p.size, p.x : p.x + p.size], np.float32)), measure)
        for p in patches
    ]
    return float(np.mean(values))
