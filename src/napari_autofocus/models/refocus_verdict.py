"""Whether to trust an image that was recovered from two shots: what speaks against it, in numbers and in sentences.

Everything is measured where the image shows something: empty glass is always right. The thresholds are ours;
``docs/virtual_refocus.md`` tells what they were chosen on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.grey import to_grey
from napari_autofocus.focus.registration import Shift
from napari_autofocus.models.refocus_shots import Shots

Float32 = npt.NDArray[np.float32]
RefocusVerdict = Literal["recovered", "doubtful"]

NEGLIGIBLE_PX = 0.1
"""Shifts below are left in: networks are taught with as much, and moving an image blurs it a little."""
MOST_SHIFT_PX = 64.0
MOST_SHIFT_SHARE = 1 / 8
"""Larger shifts, in px or as a share of the shorter side, are not believed."""
LEAST_LIKENESS = 0.5
"""Shots whose structures correlate less are not taken for shots of one field."""
LEAST_CONTRAST = 0.02
"""Standard deviation within a block, as a share of full scale, from which it shows something."""
MOST_DOUBT = 0.35
"""Uncertainty over contrast, in the median block that shows something."""
_BLOCK_PX = 32
_MOST_BLOCKS = 4096


@dataclass(frozen=True)
class Findings:
    """The numbers that a verdict stands on.

    Parameters
    ----------
    likeness : float
        Correlation of the two shots' structures once registered, -1 to 1.
    shift_px : float
        Length of the shift between them, px.
    content : float
        Share of the image that shows something.
    doubt : float
        Uncertainty over contrast in the median block that shows something; 0 where none does.
    same : bool
        Whether the two shots are one and the same image.
    """

    likeness: float = 1.0
    shift_px: float = 0.0
    content: float = 0.0
    doubt: float = 0.0
    same: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def may_be_taken_out(shift: Shift, shape: tuple[int, int]) -> bool:
    """Whether a shift is one: neither too small nor too large, nor of images that have little in common."""
    return NEGLIGIBLE_PX <= shift.length_px <= _most_shift(shape) and shift.quality >= LEAST_LIKENESS


def sharper_of(shots: Shots) -> int:
    """Which of two shots has the larger Brenner gradient in both directions together: 0 or 1."""
    return int(_brenner(shots[1].pixels) > _brenner(shots[0].pixels))


def judge(
    shots: Shots, image: npt.NDArray[Any], uncertainty: Float32, shift: Shift
) -> tuple[RefocusVerdict, tuple[str, ...], Findings]:
    """Say whether to trust a recovered image.

    Parameters
    ----------
    shots : pair of ModelFrame
        What it was recovered from.
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        What was recovered, of the shots' type.
    uncertainty : np.ndarray, shape (Y, X), float32
        Standard deviation expected of a pixel, as a share of full scale.
    shift : Shift
        Of the second shot against the first, as it was measured.

    Returns
    -------
    verdict, reasons, findings
    """
    contrast, doubt = _blocks(image, uncertainty, shots[0].full_scale)
    shown = contrast >= LEAST_CONTRAST
    findings = Findings(
        likeness=shift.quality,
        shift_px=shift.length_px,
        content=float(shown.mean()),
        doubt=float(np.median(doubt[shown] / contrast[shown])) if shown.any() else 0.0,
        same=bool(np.array_equal(shots[0].pixels, shots[1].pixels)),
    )
    reasons = tuple(_reasons(findings, shots[0].shape))
    return "doubtful" if reasons else "recovered", reasons, findings


def _reasons(found: Findings, shape: tuple[int, int]) -> Iterator[str]:
    if not found.content:
        yield "The image shows nothing that focus could be told by; nothing can be recovered where nothing is."
        return
    if found.same:
        yield "Both shots are one and the same image, and one shot does not tell what is missing; give two."
    if found.likeness < LEAST_LIKENESS:
        yield (
            f"The shots have little in common (correlation {found.likeness:.2f}; {LEAST_LIKENESS:g} is the least):"
            " they are of two places, or one is far out of focus; take both of one field, a few µm apart."
        )
    elif found.shift_px > _most_shift(shape):
        yield (
            f"The second shot lies {found.shift_px:.1f} px aside, more than the {_most_shift(shape):.0f} px that are"
            " taken out; align the shots first."
        )
    if found.doubt > MOST_DOUBT:
        yield (
            f"The model expects errors of {100 * found.doubt:.0f} % of the contrast (at most"
            f" {100 * MOST_DOUBT:.0f} % are usual): both shots may be far out of focus or on one side of it, or the"
            " stain is none it knows; what it adds may be invented."
        )


def _most_shift(shape: tuple[int, int]) -> float:
    return min(MOST_SHIFT_PX, MOST_SHIFT_SHARE * min(shape))


def _brenner(image: npt.NDArray[Any]) -> float:
    grey = to_grey(image)
    down = cv2.norm(grey[2:], grey[:-2], cv2.NORM_L2SQR) if grey.shape[0] > 2 else 0.0
    right = cv2.norm(grey[:, 2:], grey[:, :-2], cv2.NORM_L2SQR) if grey.shape[1] > 2 else 0.0
    return float(down + right)


def _blocks(image: npt.NDArray[Any], uncertainty: Float32, full_scale: float) -> tuple[Float32, Float32]:
    """Contrast and uncertainty of evenly spread blocks of the image, as shares of full scale, shape (N,) each."""
    sides = [min(_BLOCK_PX, side) for side in image.shape[:2]]
    counts = [side // own for side, own in zip(image.shape[:2], sides, strict=True)]
    step = math.ceil(math.sqrt(counts[0] * counts[1] / _MOST_BLOCKS))
    found = []
    for row, column in np.ndindex(*(-(-count // step) for count in counts)):
        y, x = row * step * sides[0], column * step * sides[1]
        part = slice(y, y + sides[0]), slice(x, x + sides[1])
        grey = np.asarray(to_grey(np.asarray(image[part], np.float32)))
        found.append((float(grey.std()) / full_scale, float(np.sqrt(np.mean(np.square(uncertainty[part]))))))
    contrast, doubt = np.array(found, np.float32).T
    return contrast, doubt
