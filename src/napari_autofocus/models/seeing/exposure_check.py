"""Whether a frame is exposed as what a model learned from was; if not, what to say with every answer.

Frames that are too bright or too dark still get their answer. What it costs is measured in
``benchmarks/robustness.py`` (case ``exposure``); the thresholds are ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.models.package.card import ModelCard
from napari_autofocus.models.seeing.frame import ModelFrame

CLIPPED_SHARES = ((0.5, "More than half"), (0.1, "More than 10 %"), (0.01, "More than 1 %"))
"""From which share of the frame on one speaks of clipping; steps, so that many frames are warned of in few words."""
BRIGHT_LEVEL, BRIGHT_SHARE = 0.5, 0.01
"""A bright-field frame is dark where less than that share of it reaches that part of full scale in any colour.

Dense sections leave enough ground between their cells: in simulated fields the brightest hundredth lies at 0.82 to 0.86
of full scale when empty ground does at 0.85, whatever the stain and the defocus.
"""
BRIGHT_FIELD = frozenset({"he", "ihc", "cytology", "blood"})
_SAMPLES_A_SIDE = 128
_CAMERA_BITS = (10, 12, 14)
_SIMULATED = "simulated_fields"  # in the training details of models whose frames' exposures we know


def check_exposure(card: ModelCard, frame: ModelFrame) -> tuple[str, ...]:
    """What to warn of in a frame's exposure; empty where there is nothing.

    Parameters
    ----------
    card : ModelCard
        Of the model. Only models of stained slides that learned from simulated ones know how bright a frame should be.
    frame : ModelFrame
        The frame; a grid of some 128 x 128 of its pixels is looked at.
    """
    sample = _sample(frame.pixels)
    return (*_clipped(sample, frame), *(_dark(sample, frame) if _knows_brightness(card) else ()))


def _sample(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A grid of the pixels, one row for each colour."""
    step = max(min(pixels.shape[:2]) // _SAMPLES_A_SIDE, 1)
    return np.ascontiguousarray(pixels[::step, ::step].reshape(-1, pixels.shape[2] if pixels.ndim == 3 else 1).T)


def _largest_share(chosen: npt.NDArray[np.bool_]) -> float:
    """Of the colours' shares."""
    return float(max(np.count_nonzero(colour) / colour.size for colour in chosen))


def _clipped(sample: npt.NDArray[Any], frame: ModelFrame) -> tuple[str, ...]:
    """In the colour that is clipped most."""
    top = float(sample.max())
    if top < _full_scale(top, frame):
        return ()
    share = _largest_share(sample == sample.max())
    for least, words in CLIPPED_SHARES:
        if share > least:
            return (
                f"{words} of the frame is at full scale, where contrast is lost, and the defocus may be off: shorten"
                " the exposure until nothing is.",
            )
    return ()


def _full_scale(top: float, frame: ModelFrame) -> float:
    """Of a deep image nobody may have said how many bits its camera uses; one that clips shows it."""
    if frame.pixels.dtype == np.uint16:
        return next((float(2**bits - 1) for bits in _CAMERA_BITS if top == 2**bits - 1), frame.full_scale)
    return frame.full_scale


def _dark(sample: npt.NDArray[Any], frame: ModelFrame) -> tuple[str, ...]:
    if _largest_share(sample >= sample.dtype.type(BRIGHT_LEVEL * frame.full_scale)) >= BRIGHT_SHARE:
        return ()
    deep = ", or state the camera's bit depth if it uses fewer than 16" if frame.pixels.dtype == np.uint16 else ""
    return (
        "The frame is dark: hardly any of it reaches half of full scale, where the model learned from slides whose"
        f" empty ground lies at about 85 %; the defocus may be off. Expose longer{deep}.",
    )


def _knows_brightness(card: ModelCard) -> bool:
    stained = bool(card.stains) and BRIGHT_FIELD.issuperset(card.stains)
    return stained and card.optics.colour == "rgb" and _SIMULATED in card.training.details
