"""Every focus measure of an image, beside copying it and beside what scikit-image, OpenCV, NumPy and SciPy offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import scipy.fft
import skimage.feature
import skimage.filters
import skimage.measure

from bench_rows import MS, Findings, Growth, Limit, Row, take_turns
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.sharpness import MEASURES, sharpness

SIDE, QUICK_SIDE = 2048, 512
PATCH_PX = 128
SEED = 0
Image = np.ndarray
Call = Callable[[Image], Any]

_IN_STRIPS = "the filtered image is written and read again before it is summed"
BEYOND = {
    "brenner": "it reads the image twice, down and across, where a copy reads and writes it once",
    "laplacian-variance": _IN_STRIPS,
    "laplacian-energy": _IN_STRIPS,
    "redondo": _IN_STRIPS,
    "modified-laplacian": f"two filters; {_IN_STRIPS}",
    "tenengrad": f"two filters; {_IN_STRIPS}",
    "sobel-norm": f"two filters, and a square root for each pixel; {_IN_STRIPS}",
    "edges": "a blur, two gradients and the tracing of edges: four passes over the image, one of them branching at each"
    " pixel",
    "dct-shannon": "a transform of the whole image, n log n, in double precision, and a logarithm for each coefficient",
    "fft-band-power": "a transform of the whole image, n log n, in double precision, and a window to multiply with",
}
"""Where the time beyond twice the limit goes."""
_ANY = "the image is read two or three times, once for each sum that the formula asks for; sums are exact"


def numpy_brenner(grey: Image) -> float:
    """As it stands in most scripts."""
    real = grey.astype(np.float32)
    return float(np.mean((real[2:] - real[:-2]) ** 2) + np.mean((real[:, 2:] - real[:, :-2]) ** 2))


def sobel_of_opencv(grey: Image) -> float:
    """Tenengrad as it stands in most scripts."""
    along_x, along_y = (cv2.Sobel(grey, cv2.CV_64F, *axes) for axes in ((1, 0), (0, 1)))
    return float(np.mean(along_x**2 + along_y**2))


ALTERNATIVES: dict[str, dict[str, Call]] = {
    "brenner": {"numpy": numpy_brenner, "skimage.measure.blur_effect": skimage.measure.blur_effect},
    "laplacian-variance": {
        "cv2.Laplacian(…, CV_64F).var()": lambda grey: cv2.Laplacian(grey, cv2.CV_64F).var(),
        "skimage.filters.laplace(…).var()": lambda grey: skimage.filters.laplace(grey).var(),
    },
    "tenengrad": {"cv2.Sobel, twice, squared": sobel_of_opencv},
    "sobel-norm": {"skimage.filters.sobel(…).mean()": lambda grey: skimage.filters.sobel(grey).mean()},
    "edges": {"skimage.feature.canny(…).mean()": lambda grey: skimage.feature.canny(grey / 255.0).mean()},
    "entropy": {"skimage.measure.shannon_entropy": skimage.measure.shannon_entropy},
    "standard-deviation": {"numpy.std": np.std},
    "normalised-variance": {"numpy.var": np.var},
}


COPY, TRANSFORM, FILTERS, CANNY, HISTOGRAM = (
    "copying the image",
    "SciPy's transform alone",
    "OpenCV's filters alone, into 16 bits",
    "OpenCV's tracing of edges alone",
    "OpenCV's histogram alone",
)
LAPLACIAN = np.array(((0, 1, 0), (1, -4, 1), (0, 1, 0)), np.float32)


def _filter(times: int) -> Call:
    return lambda grey: [cv2.filter2D(grey, cv2.CV_16S, LAPLACIAN) for _ in range(times)]


def _gradients(grey: Image) -> Any:
    return [cv2.Sobel(grey, cv2.CV_16S, *axes) for axes in ((1, 0), (0, 1))]


LIMITS: dict[str, tuple[str, Call]] = {
    "dct-shannon": (TRANSFORM, lambda grey: scipy.fft.dctn(grey.astype(np.float64), norm="ortho")),
    "fft-band-power": (TRANSFORM, lambda grey: scipy.fft.rfft2(grey.astype(np.float64))),
    "edges": (CANNY, lambda grey: cv2.Canny(grey, 40, 80)),
    "entropy": (HISTOGRAM, lambda grey: cv2.calcHist([grey], [0], None, [256], [0, 256])),
    "laplacian-variance": (FILTERS, _filter(1)),
    "laplacian-energy": (FILTERS, _filter(1)),
    "redondo": (FILTERS, _filter(1)),
    "modified-laplacian": (FILTERS, _filter(2)),
    "tenengrad": (FILTERS, _gradients),
    "sobel-norm": (FILTERS, _gradients),
}
"""What a measure cannot do without; for all others that is reading the image, for which copying it stands."""


def measure(quick: bool, threads: int) -> Findings:
    """All rows of this subject."""
    side = QUICK_SIDE if quick else SIDE
    grey = np.random.default_rng(SEED).integers(0, 256, (side, side), np.uint8)
    seconds = 0.1 if quick else 1.5
    found = Findings(facts={"threads": threads, "image": f"{side} x {side} u8, random", "seed": SEED})
    for name in MEASURES:
        found.rows.append(_row(name, grey, seconds))
    found.rows += [_patches(grey, seconds), *_kinds(grey, seconds)]
    found.growths += [_growth(name, side, seconds) for name in ("brenner", "laplacian-variance", "dct-shannon")]
    return found


def _row(name: str, grey: Image, seconds: float) -> Row:
    what, least = LIMITS.get(name, (COPY, np.copy))
    others = {COPY: np.copy, what: least, **ALTERNATIVES.get(name, {})}
    calls: dict[str, Callable[[], Any]] = {name: lambda: sharpness(grey, name)}
    calls |= {other: lambda call=call: call(grey) for other, call in others.items()}
    times = take_turns(calls, seconds=seconds)
    limit = Limit(MS * times[what].median_s, what, BEYOND.get(name, _ANY))
    against = {other: times[other] for other in others if other != what}
    return Row.of_times(f"{name}, {_size(grey)} u8", times[name], against=against, limit=limit)


def _patches(grey: Image, seconds: float) -> Row:
    """Brenner of every patch of a grid in one pass, and patch by patch."""
    grid = PatchGrid((grey.shape[0], grey.shape[1]), PATCH_PX)
    calls = {
        "patches": lambda: sharpness(grey, grid=grid),
        "each patch by itself": lambda: [sharpness(grey[grid.slices(index)]) for index in range(len(grid))],
        COPY: grey.copy,
    }
    times = take_turns(calls, seconds=seconds)
    beyond = "each patch is two calls, down and across, and a call costs more than the squares of so few pixels"
    limit = Limit(MS * times[COPY].median_s, COPY, beyond)
    others = {name: found for name, found in times.items() if name not in ("patches", COPY)}
    return Row.of_times(
        f"brenner of {len(grid)} patches, {_size(grey)} u8", times["patches"], against=others, limit=limit
    )


def _kinds(grey: Image, seconds: float) -> list[Row]:
    """Brenner of other kinds of images."""
    images = {
        "u16": grey.astype(np.uint16) * 16,
        "float32": grey.astype(np.float32),
        "RGB u8": np.repeat(grey[..., None], 3, axis=2),
    }
    rows = []
    for kind, image in images.items():
        calls = {"brenner": lambda image=image: sharpness(image), COPY: image.copy}
        times = take_turns(calls, seconds=seconds)
        limit = Limit(MS * times[COPY].median_s, COPY, _KIND_BEYOND)
        rows.append(Row.of_times(f"brenner, {_size(grey)} {kind}", times["brenner"], limit=limit))
    return rows


_KIND_BEYOND = (
    "it reads the image twice, down and across, and floats a third time to make sure that they are finite; squares of"
    " 16 bits and of floats are added in 64 bits, a fraction as many at a time as bytes are copied"
)


def _growth(name: str, side: int, seconds: float) -> Growth:
    sides = (side // 2, side, 2 * side)
    rng = np.random.default_rng(SEED)
    images = {size: rng.integers(0, 256, (size, size), np.uint8) for size in sides}
    calls = {str(size): lambda image=image: sharpness(image, name) for size, image in images.items()}
    times = take_turns(calls, seconds=seconds)
    values = tuple(MS * times[str(size)].median_s for size in sides)
    return Growth(name, "pixels", tuple(float(size**2) for size in sides), values)


def _size(grey: Image) -> str:
    return f"{grey.shape[0]} x {grey.shape[1]}"
