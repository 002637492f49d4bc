"""One sharp image out of a scan through a field that has no single focus, and the single plane that serves it best.

Every plane counts where it is sharpest. Weights are blended scale by scale (Burt and Adelson's multiresolution spline),
so that no seam shows where one plane takes over from another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import PatchPrediction
from napari_autofocus.focus.grey import to_grey
from napari_autofocus.focus.sharpness import sharpness

Image = npt.NDArray[Any]
FloatImage = npt.NDArray[np.float32]
Planes = Image | Sequence[Image]

SMOOTHING_PX = 4.0
"""Standard deviation over which the sharpness of a pixel is judged: more hides small objects, less fuses noise."""
DECISIVENESS = 4.0
"""Power of sharpness that weights a plane: 1 mixes blur in, a large one picks one plane even where none stands out."""
SMALLEST_LEVEL_PX = 16
LEAST_SURE = 0.4
"""Confidence from which the depth of a pixel is told (ours): in seven planes of noise alone 0.1 % of the pixels reach
it, in five 0.7 %, in three 5 %."""
SHARP_SHARE = 0.75
"""A patch counts as sharp in a plane that has this share of the way from its least to its most sharpness."""


@dataclass(frozen=True, eq=False)
class Fused:
    """An all-in-focus image and where each of its pixels came from.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, C)
        Sharp everywhere that any plane is; of the type of the planes.
    depth_um : np.ndarray, shape (Y, X), float32
        Drive position at which each pixel is sharpest, µm, smoothed over the neighbourhood; where there is no content
        it is a guess from what lies around.
    confidence : np.ndarray, shape (Y, X), float32
        In [0, 1]: how far the sharpest plane stands out from the others there.
    """

    image: Image
    depth_um: FloatImage
    confidence: FloatImage

    def told_depth_um(self, least_sure: float = LEAST_SURE) -> FloatImage:
        """The depth where it can be told, NaN elsewhere, shape (Y, X), µm."""
        return np.where(self.confidence >= least_sure, self.depth_um, np.float32(np.nan))


def fuse(planes: Planes, z_um: Sequence[float] | npt.NDArray[np.float64]) -> Fused:
    """Make an all-in-focus image of a field whose parts are in focus at different heights.

    Parameters
    ----------
    planes : np.ndarray, shape (Z, Y, X) or (Z, Y, X, C), or a sequence of such images
        Frames of one field, registered, u8, u16 or float.
    z_um : sequence of float
        Drive position of each, µm, in any order.

    Raises
    ------
    InputError
        There are fewer than two planes, they differ in shape, or a position is missing or no number.

    References
    ----------
    P. J. Burt and E. H. Adelson, A multiresolution spline with application to image mosaics, ACM Transactions on
    Graphics 2 (1983) 217-236. Weighting by sharpness as in T. Mertens, J. Kautz and F. Van Reeth, Exposure fusion
    (2007), equation 4, with sharpness pooled over a neighbourhood, which OpenCV's ``MergeMertens`` does not do.
    """
    positions = _checked(planes, z_um)
    weights = _weights(planes)
    image = _collapsed(_blended(planes, weights))
    depth, confidence = _depth(weights, positions)
    return Fused(_as_type(image, planes[0].dtype), depth, confidence)


def best_plane(
    planes: Planes, z_um: Sequence[float] | npt.NDArray[np.float64], patches: Sequence[PatchPrediction]
) -> tuple[int, float]:
    """The plane in which most of the content is sharp.

    Parameters
    ----------
    planes, z_um
        As for :func:`fuse`.
    patches : sequence of PatchPrediction
        Where the content is.

    Returns
    -------
    index : int
        Of the plane.
    share : float
        Of the patches that are sharp in it: each is judged by its own range of sharpness, so that bright content does
        not outvote faint content.

    Raises
    ------
    InputError
        As for :func:`fuse`, or there is no patch.
    """
    _checked(planes, z_um)
    if not patches:
        raise InputError("The best plane of a scan needs at least one patch with content; found none.")
    curves = np.array([[_patch_value(plane, patch) for plane in planes] for patch in patches])
    rise = curves - curves.min(axis=1, keepdims=True)
    relative = rise / np.maximum(rise.max(axis=1, keepdims=True), np.finfo(float).tiny)
    sharp = (relative >= SHARP_SHARE).mean(axis=0)
    # The mean decides between planes that as many patches call sharp.
    index = int(np.lexsort((relative.mean(axis=0), sharp))[-1])
    return index, float(sharp[index])


def _checked(planes: Planes, z_um: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    positions = np.asarray(z_um, np.float64)
    if len(planes) < 2:
        raise InputError(f"A scan to fuse has at least two planes; found {len(planes)}.")
    shapes = {plane.shape for plane in planes}
    if len(shapes) > 1:
        raise InputError(f"The planes of a scan have one shape; found {', '.join(map(str, sorted(shapes)))}.")
    if positions.shape != (len(planes),) or not np.isfinite(positions).all():
        raise InputError(f"Each of {len(planes)} planes needs a finite z in µm; found {positions.tolist()}.")
    return positions


def _patch_value(plane: Image, patch: PatchPrediction) -> float:
    cut = plane[patch.y : patch.y + patch.size, patch.x : patch.x + patch.size]
    return float(sharpness(to_grey(np.asarray(cut, np.float32))))


# How much each plane counts at each pixel.


def _energy(plane: Image) -> FloatImage:
    """Sharpness around each pixel: squared gradient over two pixels (Brenner's, both ways), smoothed."""
    grey = np.asarray(to_grey(np.asarray(plane, np.float32)), np.float32)
    across = cv2.filter2D(grey, cv2.CV_32F, np.array([[-1, 0, 1]], np.float32))
    down = cv2.filter2D(grey, cv2.CV_32F, np.array([[-1], [0], [1]], np.float32))
    return np.asarray(cv2.GaussianBlur(across * across + down * down, (0, 0), SMOOTHING_PX), np.float32)


def _weights(planes: Planes) -> FloatImage:
    """Shape (Z, Y, X), summing to 1 over the planes; all alike where none is sharper than the noise."""
    weights = np.stack([_energy(plane) for plane in planes])
    weights /= np.maximum(weights.max(axis=0), np.finfo(np.float32).tiny)
    np.power(weights, DECISIVENESS, out=weights)
    total = weights.sum(axis=0)
    weights += total == 0
    weights /= weights.sum(axis=0)
    return weights


def _depth(weights: FloatImage, z_um: npt.NDArray[np.float64]) -> tuple[FloatImage, FloatImage]:
    """Where each pixel is sharpest, µm, its neighbours' word counting by how sure they are; and how sure it is."""
    count = len(weights)
    raw = np.tensordot(z_um.astype(np.float32), weights, axes=1)
    confidence = np.clip((weights.max(axis=0) - 1 / count) / (1 - 1 / count), 0, 1).astype(np.float32)
    sure = confidence**2 + np.float32(1e-6)
    depth = cv2.GaussianBlur(raw * sure, (0, 0), SMOOTHING_PX) / cv2.GaussianBlur(sure, (0, 0), SMOOTHING_PX)
    return np.asarray(depth, np.float32), confidence


# Blending, scale by scale.


def _blended(planes: Planes, weights: FloatImage) -> list[FloatImage]:
    """The Laplacian pyramid of the result: those of the planes, weighted by the Gaussian pyramids of the weights."""
    total: list[FloatImage] = []
    for plane, weight in zip(planes, weights, strict=True):
        parts = [
            part * (level if part.ndim == 2 else level[..., None])
            for part, level in zip(_laplacian(np.asarray(plane, np.float32)), _gaussian(weight), strict=True)
        ]
        total = [old + part for old, part in zip(total, parts, strict=True)] if total else parts
    return total


def _gaussian(image: FloatImage) -> Iterator[FloatImage]:
    yield image
    while min(image.shape[:2]) >= 2 * SMALLEST_LEVEL_PX:
        image = np.asarray(cv2.pyrDown(image), np.float32)
        yield image


def _laplacian(image: FloatImage) -> list[FloatImage]:
    levels = list(_gaussian(image))
    return [fine - _grown(coarse, fine) for fine, coarse in pairwise(levels)] + levels[-1:]


def _collapsed(levels: list[FloatImage]) -> FloatImage:
    image = levels[-1]
    for level in reversed(levels[:-1]):
        image = level + _grown(image, level)
    return image


def _grown(coarse: FloatImage, fine: FloatImage) -> FloatImage:
    return np.asarray(cv2.pyrUp(coarse, dstsize=fine.shape[1::-1]), np.float32).reshape(fine.shape)


def _as_type(image: FloatImage, dtype: np.dtype[Any]) -> Image:
    if dtype.kind not in "ui":
        return image.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(image), limits.min, limits.max).astype(dtype)
