"""All-in-focus images of fields with two depths 6 µm apart, against the best single plane and other ways to fuse.

    pip install PyWavelets            # only for the rival that needs it
    python benchmarks/fusion.py [--slides 2] [--seed 3]

Fields of 448 x 384 px through the 20x/0.75, dense slides of four stains, scanned from -8 to +2 µm in steps of 1 µm (the
depth of field), with the camera's noise. Three kinds:

step      the right half of the field lies 6 µm higher.
thick     two sheets 6 µm apart over the whole field, every object in one of them, seen through each other.
folded    a part of the field is folded over: a second sheet 6 µm higher lies over the first there.

``chosen`` is the true composite asked for: every pixel as it looks, without noise, where it is in focus itself
(Scene.best_focus_map). ``laid flat`` is another truth: the same field with everything at one height, so that no blur of
the other sheet is left. Figures are PSNR over the best single plane's, in dB. Rivals: OpenCV's MergeMertens (exposure
fusion: contrast and saturation only), the plane of the largest Laplacian energy for each pixel, and the largest
coefficients of a wavelet transform (PyWavelets, db4, four scales; the approximations averaged).

Controls: frames of noise alone (how many pixels claim a depth), and scans whose planes wander sideways by steps of
1 px (standard deviation), with and without ``focus/scan_alignment.py``. Writes benchmarks/results/fusion.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.fusion import LEAST_SURE, fuse
from napari_autofocus.focus.registration import moved
from napari_autofocus.focus.scan_alignment import align
from napari_autofocus.simulation import Scene, Topography
from napari_autofocus.simulation.camera import WELL_EXPOSED
from napari_autofocus.simulation.view import View

RESULT = Path(__file__).parent / "results" / "fusion.json"
SHAPE = (384, 448)
Z_UM = np.arange(-8.0, 2.1, 1.0)
STAINS = ("he", "cytology", "ihc", "fluorescence")
APART_UM = 6.0
KINDS = {
    "step": Topography.flat(),
    "thick": Topography(0.0, 0.0, thickness_um=APART_UM, layers=2),
    "folded": Topography(0.0, 0.0, fold_um=APART_UM),
}
FULL = 255.0
Image = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Scan:
    """Frames through a field, its two truths, and where each pixel is in focus (µm)."""

    planes: npt.NDArray[np.uint8]
    chosen: npt.NDArray[np.float32]
    flat: npt.NDArray[np.float32]
    focus_um: npt.NDArray[np.float32]


def scan_of(kind: str, stain: str, seed: int) -> Scan:
    """A field with two depths, scanned."""
    scene = Scene.build(stain, "dense", "20x/0.75", seed=seed, shape=SHAPE, topography=KINDS[kind])
    place = (_fold_um(scene, seed) if kind == "folded" else 40.0 * seed, 0.0)
    content = scene.content_at(*place)
    if kind == "step":
        height = np.zeros(content.sheets[0].content.shape, np.float32)
        height[:, height.shape[1] // 2 :] = APART_UM
        content = replace(
            content, sheets=tuple(replace(sheet, height_um=sheet.height_um + height) for sheet in content.sheets)
        )
        scene._fields[place] = content
    rng = np.random.default_rng(seed)
    planes = np.stack([scene.snap(*place, z_um, rng=rng) for z_um in Z_UM])
    focus_um = scene.best_focus_map(*place)
    chosen = np.zeros((*SHAPE, 3), np.float32)
    for depth_um in np.unique(focus_um):
        here = focus_um == depth_um
        chosen[here] = _exposed(scene, scene.render(*place, float(depth_um)))[here]
    level = np.zeros_like(content.sheets[0].content, np.float32)
    flat = replace(content, sheets=tuple(replace(sheet, height_um=level) for sheet in content.sheets))
    return Scan(planes, chosen, _exposed(scene, scene._formation.render(flat, 0.0)), focus_um)


def _fold_um(scene: Scene, seed: int) -> float:
    """A place where about two fifths of the field are folded over, or as much as there is."""
    topography, best = KINDS["folded"], (1.0, 0.0)
    for x_um in np.arange(-900.0, 900.0, 30.0):
        coverage = topography.fold_coverage(View(x_um, 0.0, SHAPE, scene.pixel_size_um), seed)
        if coverage is not None:
            best = min(best, (abs(float(coverage.mean()) - 0.4), float(x_um)))
    return best[1]


def _exposed(scene: Scene, light: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What the camera would record without noise."""
    shading = scene.camera.shading(SHAPE)[..., None]
    return np.clip(light * shading * np.float32(WELL_EXPOSED * FULL), 0, FULL).astype(np.float32)


def psnr_db(image: Image, truth: Image) -> float:
    """Peak signal over noise, dB."""
    return float(10 * np.log10(FULL**2 / np.mean((image.astype(np.float64) - truth) ** 2)))


# The rivals.


def ours(planes: npt.NDArray[np.uint8]) -> Image:
    return fuse(planes, Z_UM).image


def mertens(planes: npt.NDArray[np.uint8]) -> Image:
    return np.clip(cv2.createMergeMertens(1, 0, 0).process(list(planes)) * FULL, 0, FULL)


def hard_laplacian(planes: npt.NDArray[np.uint8], smoothing_px: float = 4.0) -> Image:
    grey = planes.astype(np.float32).mean(axis=3)
    sharp = [cv2.Laplacian(cv2.GaussianBlur(plane, (0, 0), 1.0), cv2.CV_32F, ksize=3) ** 2 for plane in grey]
    best = np.argmax([cv2.GaussianBlur(plane, (0, 0), smoothing_px) for plane in sharp], axis=0)
    return np.take_along_axis(planes, best[None, ..., None], 0)[0]


def wavelets(planes: npt.NDArray[np.uint8]) -> Image:
    import pywt

    def fused(colour: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        parts = [pywt.wavedec2(plane, "db4", level=4, mode="reflect") for plane in colour]
        levels: list[Any] = [np.mean([part[0] for part in parts], axis=0)]
        for level in range(1, 5):
            bands = [np.stack([part[level][band] for part in parts]) for band in range(3)]
            levels.append(tuple(np.take_along_axis(band, np.abs(band).argmax(axis=0)[None], 0)[0] for band in bands))
        return pywt.waverec2(levels, "db4", mode="reflect")[: SHAPE[0], : SHAPE[1]]

    values = planes.astype(np.float32)
    return np.clip(np.stack([fused(values[..., colour]) for colour in range(3)], axis=2), 0, FULL)


def rivals() -> dict[str, Callable[[npt.NDArray[np.uint8]], Image]]:
    """Ours and the others; wavelets only where they are installed."""
    found = {"ours": ours, "MergeMertens": mertens, "argmax of Laplacian energy": hard_laplacian}
    try:
        import pywt  # noqa: F401
    except ImportError:
        print("PyWavelets is not installed; wavelets are left out.", file=sys.stderr)
        return found
    return {**found, "wavelets": wavelets}


# The figures.


def row_of(scan: Scan) -> dict[str, Any]:
    """Gains over the best single plane, dB, and how well the depth is told."""
    best = {name: max(psnr_db(plane, truth) for plane in scan.planes) for name, truth in _truths(scan)}
    row: dict[str, Any] = {f"best plane, {name}": value for name, value in best.items()}
    for rival, way in rivals().items():
        begun = time.perf_counter()
        image = way(scan.planes)
        row[f"{rival}, s"] = time.perf_counter() - begun
        row |= {f"{rival}, {name}": psnr_db(image, truth) - best[name] for name, truth in _truths(scan)}
    fused = fuse(scan.planes, Z_UM)
    told = fused.told_depth_um()
    off_um = np.abs(told - scan.focus_um)[np.isfinite(told)]
    return row | {
        "depth told, share of pixels": float(np.isfinite(told).mean()),
        "depth, median error, µm": float(np.median(off_um)),
        "depth within 1 µm": float(np.mean(off_um < 1)),
    }


def _truths(scan: Scan) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    yield "chosen", scan.chosen
    yield "laid flat", scan.flat


def wandering(scan: Scan, rng: np.random.Generator) -> dict[str, float]:
    """The same scan, wandering sideways; gains over the best plane of the scan at rest, dB."""
    best = max(psnr_db(plane, scan.chosen) for plane in scan.planes)
    way = np.cumsum(rng.normal(0, 1, (len(Z_UM), 2)), axis=0)
    planes = np.stack([moved(plane, *shift) for plane, shift in zip(scan.planes, way, strict=True)])
    laid = align(planes, Z_UM)
    sharpest = int(np.argmin([np.hypot(*shift) for shift in laid.shifts_px]))
    found = np.array(laid.shifts_px) - (way - way[sharpest])
    truth, inner = moved(scan.chosen, *way[sharpest]), np.s_[16:-16, 16:-16]
    return {
        "largest shift left, px": float(np.hypot(*found.T).max()),
        "unaligned, dB": psnr_db(fuse(planes, Z_UM).image[inner], truth[inner]) - best,
        "aligned, dB": psnr_db(fuse(laid.planes, Z_UM).image[inner], truth[inner]) - best,
    }


def noise_alone(rng: np.random.Generator) -> dict[str, float]:
    """Frames that show nothing."""
    planes = np.stack([rng.normal(128, 3, (*SHAPE, 3)) for _ in Z_UM]).clip(0, FULL).astype(np.uint8)
    fused, laid = fuse(planes, Z_UM), align(planes, Z_UM)
    return {
        "pixels that claim a depth": float((fused.confidence >= LEAST_SURE).mean()),
        "noise, fused over single": float(np.std(fused.image.astype(float)) / np.std(planes[0].astype(float))),
        "shift taken out, px": laid.largest_px,
        "planes whose shift is not told": len(laid.untold),
    }


def mean_of(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Each figure, averaged."""
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--slides", type=int, default=2)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULT)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(chosen.seed)
    tables: dict[str, Any] = {}
    for kind in KINDS:
        by_stain: dict[str, Any] = {}
        walks: list[dict[str, float]] = []
        for stain in STAINS:
            scans = [scan_of(kind, stain, chosen.seed + number) for number in range(chosen.slides)]
            by_stain[stain] = mean_of([row_of(scan) for scan in scans])
            walks.append(wandering(scans[0], rng))
        tables[kind] = {"all": mean_of([*by_stain.values()]), **by_stain, "wandering": mean_of(walks)}
        print(kind, json.dumps(tables[kind]["all"], indent=1), tables[kind]["wandering"], file=sys.stderr)
    result = {
        "command": f"python benchmarks/fusion.py {' '.join(sys.argv[1:])}".strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "slides": chosen.slides,
        "z_um": Z_UM.tolist(),
        "tables": tables,
        "noise alone": noise_alone(rng),
    }
    chosen.out.parent.mkdir(exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
