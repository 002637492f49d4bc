"""How long the focus measures take, beside the time of copying the image.

    python benchmarks/sharpness.py [--size 2048] [--patch 128] [--repeats 15] [--seed 0]

Times are medians in ms; the image is random. The figure to reach: Brenner of a 2048 x 2048 u8 image in at most twice
the time of copying it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from napari_autofocus.focus.noise_free import split_brenner
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.sharpness import MEASURES, sharpness

RESULTS = Path(__file__).parent / "results"


def milliseconds(call: Callable[[], Any], repeats: int) -> float:
    """Median time of a call after a first one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return round(float(np.median(times)) * 1e3, 3)


def time_brenner(rgb: np.ndarray, patch: int, repeats: int) -> dict[str, float]:
    """Brenner in every form that is used live, and copies of the same arrays."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    wide, real = grey.astype(np.uint16) * 16, grey.astype(np.float32)
    grid = PatchGrid(grey.shape, patch)
    field = np.ascontiguousarray(rgb[:1024, :1224])
    calls: dict[str, Callable[[], Any]] = {
        "copy u8": grey.copy,
        "brenner-vertical u8": lambda: sharpness(grey, "brenner-vertical"),
        "brenner-horizontal u8": lambda: sharpness(grey, "brenner-horizontal"),
        "brenner (both) u8": lambda: sharpness(grey),
        "copy u16": wide.copy,
        "brenner-vertical u16": lambda: sharpness(wide, "brenner-vertical"),
        "copy float32": real.copy,
        "brenner-vertical float32": lambda: sharpness(real, "brenner-vertical"),
        "brenner (both) RGB u8": lambda: sharpness(rgb),
        "brenner (both) of all patches, u8": lambda: sharpness(grey, grid=grid),
        "brenner (both) of all patches, RGB u8": lambda: sharpness(rgb, grid=grid),
        "brenner (both) u8, saturated pixels left out": lambda: sharpness(grey, saturation=255),
        "split_brenner of all patches, RGB u8 up to 1224 x 1024": lambda: split_brenner(
            field, PatchGrid(field.shape[:2], patch)
        ),
    }
    return {name: milliseconds(call, repeats) for name, call in calls.items()}


def time_measures(grey: np.ndarray, patch: int, repeats: int) -> dict[str, dict[str, float]]:
    """Every measure, of the whole image and of all patches."""
    grid = PatchGrid(grey.shape, patch)
    return {
        name: {
            "whole": milliseconds(lambda name=name: sharpness(grey, name), repeats),
            "patches": milliseconds(lambda name=name: sharpness(grey, name, grid=grid), repeats),
        }
        for name in MEASURES
    }


def main() -> None:
    """Print two tables and write benchmarks/results/sharpness.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2048, help="side of the image, px")
    parser.add_argument("--patch", type=int, default=128, help="side of a patch, px")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rgb = np.random.default_rng(options.seed).integers(0, 256, (options.size, options.size, 3), dtype=np.uint8)
    brenner = time_brenner(rgb, options.patch, options.repeats)
    measures = time_measures(np.ascontiguousarray(rgb[..., 1]), options.patch, max(options.repeats // 5, 1))
    ratio = brenner["brenner-vertical u8"] / brenner["copy u8"]
    for name, ms in brenner.items():
        print(f"{name:56s} {ms:9.3f} ms")
    print(f"\nbrenner-vertical takes {ratio:.2f} times as long as copying the u8 image\n")
    print(f"{'measure':22s} {'whole':>10s} {'patches':>10s}   ms")
    for name, ms_of in measures.items():
        print(f"{name:22s} {ms_of['whole']:10.2f} {ms_of['patches']:10.2f}")
    found = {
        "command": " ".join(["python", "benchmarks/sharpness.py", *sys.argv[1:]]),
        **vars(options),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, OpenCV {cv2.__version__}, NumPy {np.__version__}",
        "brenner_over_copy": round(ratio, 3),
        "brenner_ms": brenner,
        "measures_ms": measures,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sharpness.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
