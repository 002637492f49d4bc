"""Where on a slide the sample lies, by a coarse overview: glass is told from what is stained, bright or structured.

An overview may be stitched from camera frames or come from a file. Its light need not be even, nor need there be any
glass or any sample in it. All thresholds are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]
Place = tuple[float, float]

LEAST_SHARE = 0.05
"""A place whose neighbourhood shows less sample than this is not worth a focus point."""
_WORKING_PX = 1200  # longest side at which sample is looked for: finer detail does not tell more
_WINDOW_UM = 40.0
_LEAST_WINDOW_PX = 5
_TEXTURE = 0.02  # standard deviation over brightness of structured sample; binned glass has 0.005
_STAINED = 0.08  # optical density above that of the glass
_GLOWING = 5.0  # standard deviations of the dark ground
_LEAST_COUNTS = 4.0  # a dark frame of an 8-bit camera steps by whole counts
_DIM_COUNTS = 100.0  # what is dimmer is structured only if it varies like this
_LEAST_OBJECT_UM2 = 100.0  # less is dust
_CLOSE_UM = 30.0
_ALL = 0.93  # a share of structure that leaves too little glass to know its brightness by
_ROUNDS = 8


@dataclass(frozen=True, eq=False)
class Overview:
    """A coarse image of a slide that knows where it lies.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        x grows with the column, y with the row.
    pixel_um : float
        Size of a pixel, µm.
    origin_um : tuple of float
        Stage position (x, y) of the centre of the first pixel, µm.
    mask : np.ndarray, shape (Y, X), bool, or None
        Where there is sample; None where nobody has looked.
    seen : np.ndarray, shape (Y, X), bool, or None
        Which pixels were imaged; None: all.
    """

    image: npt.NDArray[Any] = field(repr=False)
    pixel_um: float
    origin_um: Place
    mask: BoolArray | None = field(default=None, repr=False)
    seen: BoolArray | None = field(default=None, repr=False)

    def shares_near(self, places: Sequence[Place], radius_um: float) -> npt.NDArray[np.float64]:
        """Share of sample in a square around each place; NaN where the overview shows nothing of it.

        Parameters
        ----------
        places : sequence of (x, y)
            Stage positions, µm.
        radius_um : float
            Half the side of the square: half a field, or half the spacing of a grid.

        Raises
        ------
        InputError
            If nobody has looked where the sample is.
        """
        if self.mask is None:
            raise InputError("The overview does not say where the sample is; mark it first.")
        seen = np.ones(self.mask.shape, bool) if self.seen is None else self.seen
        sums = [cv2.integral(part.astype(np.uint8)).astype(np.float64) for part in (self.mask & seen, seen)]
        at = (np.asarray(places, np.float64).reshape(-1, 2) - self.origin_um) / self.pixel_um
        reach = max(radius_um / self.pixel_um, 0.5)
        sides = [
            [np.clip(np.rint(at[:, axis] + shift + 0.5), 0, self.mask.shape[1 - axis]).astype(int) for axis in (1, 0)]
            for shift in (-reach, reach)
        ]
        (top, left), (bottom, right) = sides
        sample, imaged = (
            each[bottom, right] - each[top, right] - each[bottom, left] + each[top, left] for each in sums
        )
        return np.where(imaged > 0, sample / np.maximum(imaged, 1.0), np.nan)

    def on_sample(
        self, places: Sequence[Place], radius_um: float, least_share: float = LEAST_SHARE
    ) -> tuple[list[Place], list[Place]]:
        """Places worth a focus point, and those on bare glass; what the overview does not show counts as worth it."""
        is_glass = self.shares_near(places, radius_um) < least_share  # never true of NaN
        kept = [place for place, glass in zip(places, is_glass, strict=True) if not glass]
        return kept, [place for place, glass in zip(places, is_glass, strict=True) if glass]


def tissue_mask(image: npt.NDArray[Any], pixel_um: float, *, seen: BoolArray | None = None) -> BoolArray:
    """Where an overview shows sample.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        Counts of any scale; bright field or fluorescence is told from the ground's own brightness.
    pixel_um : float
        Size of a pixel, µm.
    seen : np.ndarray, shape (Y, X), bool, optional
        Pixels that count; the others are no sample.

    Returns
    -------
    np.ndarray, shape (Y, X), bool

    Raises
    ------
    InputError
        If it is no image, or the pixel size no size.
    """
    if not 0 < pixel_um < math.inf:
        raise InputError(f"The pixel of an overview is a positive number of µm; found {pixel_um:g}.")
    _require_image(np.asarray(image))
    planes = np.atleast_3d(np.asarray(image))
    if planes.dtype.kind == "f":  # any scale, 0 to 1 for instance
        planes = planes * (1000 / max(float(np.nanmax(np.abs(planes), initial=0.0)), 1e-30))
    reduction = max(1.0, max(planes.shape[:2]) / _WORKING_PX)
    small = _resized(planes[..., :3].astype(np.float32), planes.shape[:2], reduction)
    there = (
        _resized(np.ones(planes.shape[:2], np.float32) if seen is None else seen, planes.shape[:2], reduction) > 0.99
    )
    if not there.any():
        return np.zeros(planes.shape[:2], bool)
    found = _found(small.reshape(*there.shape, -1), there, pixel_um * reduction)
    whole = cv2.resize(found.astype(np.uint8), planes.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    return np.asarray(whole if seen is None else whole & seen)


def _require_image(image: npt.NDArray[Any]) -> None:
    is_shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))
    if not is_shaped or not image.size or image.dtype.kind not in "buif" or not np.isfinite(image).all():
        raise InputError(
            f"An overview is one image of finite numbers, (Y, X) or in colour (Y, X, 3); found {image.dtype} of shape"
            f" {image.shape}."
        )


def _resized(image: npt.NDArray[Any], shape: tuple[int, ...], reduction: float) -> FloatArray:
    size = max(1, round(shape[1] / reduction)), max(1, round(shape[0] / reduction))
    return np.asarray(cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA))


def _found(planes: FloatArray, there: BoolArray, pixel_um: float) -> BoolArray:
    grey = planes.mean(axis=-1)
    window = max(_LEAST_WINDOW_PX, round(_WINDOW_UM / pixel_um) | 1)
    texture = _texture(grey, there, window)
    structured = there & (texture > max(_TEXTURE, 2.5 * _noise(grey, there)))
    if structured.sum() > _ALL * there.sum():
        return there
    smooth = there & ~structured
    reach = np.ones((window, window), np.uint8)  # the window sees an edge before it is there
    structured = cv2.erode(structured.astype(np.uint8), reach, borderType=cv2.BORDER_REPLICATE) > 0
    if _is_dark(grey, there):
        marked = _glowing(grey, smooth)
    else:
        marked = np.max([_density(planes[..., band], smooth) for band in range(planes.shape[-1])], axis=0) > _STAINED
    return _cleaned((structured | marked) & there, there, pixel_um)


def _texture(grey: FloatArray, there: BoolArray, window: int) -> FloatArray:
    """Local standard deviation over local mean; the window never reaches beyond what was imaged."""
    weight = np.maximum(cv2.blur(there.astype(np.float32), (window, window)), 1e-6)
    mean = cv2.blur(grey * there, (window, window)) / weight
    fine = np.where(there, grey - mean, 0.0)
    spread = np.sqrt(cv2.blur(fine * fine, (window, window)) / weight)
    floor = max(0.02 * float(np.percentile(grey[there], 99)), _DIM_COUNTS)
    return np.asarray(spread / np.maximum(mean, floor), np.float32)


def _noise(grey: FloatArray, there: BoolArray) -> float:
    """Standard deviation of a pixel's noise over its brightness, by what is finer than structure (Immerkaer 1996)."""
    kernel = np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32) / 6
    fine = np.abs(cv2.filter2D(grey, -1, kernel))[there]
    return 1.4826 * float(np.median(fine)) / max(float(np.median(grey[there])), 1e-6)


def _is_dark(grey: FloatArray, there: BoolArray) -> bool:
    """Whether most of what is dim is far dimmer than what is bright: fluorescence has a black ground."""
    low, high = np.percentile(grey[there], (10, 99.8))
    return bool(low < 0.25 * high)


def _glowing(grey: FloatArray, smooth: BoolArray) -> BoolArray:
    """What is brighter than the dark ground, which changes slowly."""
    ground = _ground(grey, smooth, darker_counts=False)
    rest = (grey - ground)[smooth]
    ground_level = rest[rest <= np.percentile(rest, 50)]
    noise = 1.4826 * float(np.median(np.abs(ground_level - np.median(rest))))
    blurred = cv2.GaussianBlur(grey - ground, (0, 0), 1.5)
    return np.asarray(blurred > max(_GLOWING * noise, _LEAST_COUNTS))


def _density(band: FloatArray, smooth: BoolArray) -> FloatArray:
    """Optical density of one colour against the glass around."""
    log = np.log(np.maximum(band, 1.0))
    ground = _ground(log, smooth, darker_counts=True)
    absorbed = cv2.GaussianBlur(np.exp(ground) - band, (0, 0), 1.5)
    return np.where(absorbed < _LEAST_COUNTS, 0.0, cv2.GaussianBlur(ground - log, (0, 0), 1.5))


def _ground(values: FloatArray, smooth: BoolArray, *, darker_counts: bool) -> FloatArray:
    """A bowl through the glass alone: what departs to the side of the sample is dropped, again and again."""
    height, width = values.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    sign = 1.0 if darker_counts else -1.0
    at = np.flatnonzero(smooth)
    at = at[:: max(1, len(at) // 20_000)]
    rows, found = terms.reshape(-1, 6)[at], sign * values.ravel()[at].astype(np.float64)
    kept = found >= np.percentile(found, 60)  # the brightest, of which most is glass unless there is none
    surface: npt.NDArray[Any] = np.zeros(6)
    for _ in range(_ROUNDS):
        surface = np.linalg.lstsq(rows[kept], found[kept], rcond=None)[0]
        residual = found - rows @ surface
        scatter = 1.4826 * float(np.median(np.abs(residual[kept])))
        near = np.abs(residual) <= max(3 * scatter, 1e-6)
        if near.sum() < 20 or (near == kept).all():
            break
        kept = near
    return np.asarray(sign * (terms @ surface), np.float32)


def _cleaned(found: BoolArray, there: BoolArray, pixel_um: float) -> BoolArray:
    """Gaps between cells closed, dust left out."""
    size = max(1, round(_CLOSE_UM / pixel_um / 2))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1))
    closed = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    is_large = stats[:, cv2.CC_STAT_AREA] >= max(2.0, _LEAST_OBJECT_UM2 / pixel_um**2)
    is_large[0] = False
    return np.asarray(is_large[labels] & there)
