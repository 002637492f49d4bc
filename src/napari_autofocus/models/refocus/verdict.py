"""Whether to trust an image that was recovered from two shots: what speaks against it, in numbers and in sentences.

Everything is measured where the image shows something: empty glass is always right. The thresholds are ours;
``docs/virtual_refocus.md`` tells what they were chosen on.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.grey import to_grey
from napari_autofocus.focus.registration import Shift
from napari_autofocus.models.refocus.shots import Shots

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
MOST_DOUBT = 2.3
"""Uncertainty over fine detail, in the median block that shows much."""
MOST_SHARE = 0.65
"""Uncertainty over contrast, in the same blocks."""
BRIGHT_ON_DARK = 0.5
"""Skewness of the grey values above which an image is bright on dark, as in fluorescence."""
BLACK = 0.15
"""Darkest 5 % of the grey values over the brightest 1 %, below which the ground is black, as in dense fluorescence: in
bright field it was 0.4 at least."""
_DARK_FIELD = {"fluorescence", "beads"}
_FINE_PX = 3.0
_SHOWING_MOST = 60.0
"""Percentile of the blocks' contrast above which a block shows much."""
_BLOCK_PX = 32
_MOST_BLOCKS = 4096
_MOST_PIXELS = 250_000


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
        Uncertainty over fine detail in the median block that shows much; 0 where none shows anything.
    doubt_share : float
        The same over contrast.
    skewness : float
        Of the grey values: negative where things are dark on bright.
    darkest : float
        The darkest grey values over the brightest.
    same : bool
        Whether the two shots are one and the same image.
    """

    likeness: float = 1.0
    shift_px: float = 0.0
    content: float = 0.0
    doubt: float = 0.0
    doubt_share: float = 0.0
    skewness: float = 0.0
    darkest: float = 1.0
    same: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def may_be_taken_out(shift: Shift, shape: tuple[int, int]) -> bool:
    """Whether a shift is one: neither too small nor too large, nor of images that have little in common."""
    return NEGLIGIBLE_PX <= shift.length_px <= _most_shift(shape) and shift.quality >= LEAST_LIKENESS


def judge(
    shots: Shots, image: npt.NDArray[Any], uncertainty: Float32, shift: Shift, stains: Collection[str] = ()
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
    stains : collection of str
        What the model knows; empty if nobody says.

    Returns
    -------
    verdict, reasons, findings
    """
    blocks = _blocks(image, uncertainty, shots[0].full_scale)
    findings = Findings(
        likeness=shift.quality,
        shift_px=shift.length_px,
        content=float((blocks.contrast >= LEAST_CONTRAST).mean()),
        doubt=blocks.doubt_over(blocks.detail),
        doubt_share=blocks.doubt_over(blocks.contrast),
        skewness=_skewness(_thinned(shots[0].pixels)),
        darkest=_darkest(_thinned(shots[0].pixels)),
        same=bool(np.array_equal(shots[0].pixels, shots[1].pixels)),
    )
    reasons = tuple(_reasons(findings, shots[0].shape, stains))
    return "doubtful" if reasons else "recovered", reasons, findings


def _reasons(found: Findings, shape: tuple[int, int], stains: Collection[str]) -> Iterator[str]:
    if not found.content:
        yield "The image shows nothing that focus could be told by, so there is nothing to recover."
        return
    if found.same:
        yield "Both shots are one and the same image; give two shots, one either side of focus."
    if found.likeness < LEAST_LIKENESS:
        yield (
            f"The shots have little in common (correlation {found.likeness:.2f}; at least {LEAST_LIKENESS:g}):"
            " they show two places, or one is far out of focus; take both of one field, a few µm apart."
        )
    elif found.shift_px > _most_shift(shape):
        yield (
            f"The second shot lies {found.shift_px:.1f} px aside, more than the {_most_shift(shape):.0f} px that are"
            " taken out; align the shots first."
        )
    if seen := _other_kind(found, stains):
        yield f"The model knows {', '.join(sorted(stains))}, and this image is {seen}; use a model taught on such."
    if found.doubt > MOST_DOUBT or found.doubt_share > MOST_SHARE:
        yield (
            f"The model expects errors of {found.doubt:.1f} times the fine detail and {found.doubt_share:.2f} times the"
            f" contrast that it shows (up to {MOST_DOUBT:g} and {MOST_SHARE:g} are usual): the shots are too far out of"
            " focus, or the stain is none it knows; what it adds may be invented."
        )


def _other_kind(found: Findings, stains: Collection[str]) -> str:
    """How an image looks to which the model knows nothing alike; empty where it does."""
    dark = _DARK_FIELD.intersection(stains)
    if not stains or (dark and not _DARK_FIELD.issuperset(stains)):
        return ""
    if dark:
        return "dark on bright" if found.skewness < -BRIGHT_ON_DARK else ""
    return "bright on dark" if found.skewness > BRIGHT_ON_DARK or found.darkest < BLACK else ""


def _most_shift(shape: tuple[int, int]) -> float:
    return min(MOST_SHIFT_PX, MOST_SHIFT_SHARE * min(shape))


def _thinned(image: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Grey values of an image, some of them where there are many."""
    step = max(1, math.isqrt(image.shape[0] * image.shape[1] // _MOST_PIXELS))
    return np.asarray(to_grey(np.ascontiguousarray(image[::step, ::step])), np.float64)


def _skewness(grey: npt.NDArray[np.float64]) -> float:
    around = grey - grey.mean()
    spread = float(np.sqrt(np.mean(around**2)))
    return float(np.mean(around**3)) / spread**3 if spread > 0 else 0.0


def _darkest(grey: npt.NDArray[np.float64]) -> float:
    low, high = np.percentile(grey, (5, 99))
    return float(low / high) if high > 0 else 1.0


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Contrast, fine detail and uncertainty of evenly spread blocks, shares of full scale, shape (N,) each."""

    contrast: npt.NDArray[np.float64]
    detail: npt.NDArray[np.float64]
    uncertainty: npt.NDArray[np.float64]

    def doubt_over(self, shown: npt.NDArray[np.float64]) -> float:
        """Uncertainty over what is shown, in the median block that shows much."""
        much = self.contrast >= max(LEAST_CONTRAST, float(np.percentile(self.contrast, _SHOWING_MOST)))
        if not much.any():
            return 0.0
        return float(np.median(self.uncertainty[much] / np.maximum(shown[much], 1e-6)))


def _blocks(image: npt.NDArray[Any], uncertainty: Float32, full_scale: float) -> _Blocks:
    sides = [min(_BLOCK_PX, side) for side in image.shape[:2]]
    counts = [side // own for side, own in zip(image.shape[:2], sides, strict=True)]
    step = math.ceil(math.sqrt(counts[0] * counts[1] / _MOST_BLOCKS))
    found = []
    for row, column in np.ndindex(*(-(-count // step) for count in counts)):
        y, x = row * step * sides[0], column * step * sides[1]
        part = slice(y, y + sides[0]), slice(x, x + sides[1])
        grey = to_grey(np.asarray(image[part], np.float32)) / np.float32(full_scale)
        detail = grey - cv2.GaussianBlur(grey, (0, 0), _FINE_PX)
        found.append((grey.std(), np.sqrt(np.mean(detail**2)), np.sqrt(np.mean(uncertainty[part] ** 2))))
    return _Blocks(*np.array(found, np.float64).T)
