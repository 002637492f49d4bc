"""Labelling a folder of z-stacks beside only reading it, and beside what a script with scikit-image would do.

The stacks: one simulated field of 21 planes, RGB u8, as deflated OME-TIFF, copied; larger ones are it side by side. All
is read from the operating system's cache.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage.color
import skimage.filters
import tifffile

from bench_rows import MS, Findings, Growth, Limit, Row, Times, take_turns
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import open_stack
from napari_autofocus.io.writing import write_stack
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.batch import label_stacks

SIDES, QUICK_SIDES = (256, 512, 1024), (128, 256)
STACKS, QUICK_STACKS = 4, 2
PLANES, STEP_UM = 21, 0.5
SEED = 31
_BEYOND = (
    "squared differences are summed for each patch, across and along and apart for the pixels of either parity, each"
    " plane is reduced and kept, since contrast that inverts tells transparent specimens, and a peak is fitted to the"
    " curve of each patch once all planes are read; a plane is measured while the next one is read, which hides the"
    " shorter of the two where a second core is free"
)


def measure(quick: bool, threads: int) -> Findings:
    """All rows of this subject."""
    sides = QUICK_SIDES if quick else SIDES
    found = Findings(facts={"threads": threads, "stacks": QUICK_STACKS if quick else STACKS, "planes": PLANES})
    tile = _tile(sides[0])
    medians: dict[str, list[float]] = {}
    for side in sides:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            _write(folder, np.tile(tile, (1, side // sides[0], side // sides[0], 1)), found.facts["stacks"])
            times = _times(folder, 0.5 if quick else 4.0)
        found.rows.append(_row(side, times, found.facts["stacks"]))
        for name, each in times.items():
            medians.setdefault(name, []).append(MS * each.median_s)
    pixels = tuple(float(side**2) for side in sides)
    found.growths += [Growth(name, "pixels", pixels, tuple(values)) for name, values in medians.items()]
    return found


_OURS, _READING, _TIFF, _SCRIPT = (
    "labelling a folder",
    "reading it",
    "reading it with tifffile alone",
    "skimage.filters.laplace(…).var() of each plane",
)


def _times(folder: Path, seconds: float) -> dict[str, Times]:
    calls: dict[str, Callable[[], Any]] = {
        _OURS: lambda: _label(folder),
        _READING: lambda: _read(folder),
        _TIFF: lambda: [tifffile.imread(path) for path in sorted(folder.iterdir())],
        _SCRIPT: lambda: _script(folder),
    }
    return take_turns(calls, seconds=seconds, most=10)


def _row(side: int, times: dict[str, Times], stacks: int) -> Row:
    limit = Limit(MS * times[_READING].median_s, "only reading the folder", _BEYOND)
    name = f"labelling {stacks} stacks of {PLANES} planes, {side} x {side} RGB"
    return Row.of_times(name, times[_OURS], against={n: t for n, t in times.items() if n != _OURS}, limit=limit)


def _label(folder: Path) -> None:
    for step in label_stacks([folder]):
        if hasattr(step, "reason"):
            raise SystemExit(f"{step.path} could not be labelled: {step.reason}")


def _read(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        stack = open_stack(path)
        for index in range(len(stack)):
            stack.plane(index)


def _script(folder: Path) -> list[int]:
    """What one writes in ten minutes: the sharpest plane of each stack, no patches, no doubt."""
    sharpest = []
    for path in sorted(folder.iterdir()):
        planes = tifffile.imread(path)
        sharpness = [skimage.filters.laplace(skimage.color.rgb2gray(plane)).var() for plane in planes]
        sharpest.append(int(np.argmax(sharpness)))
    return sharpest


def _tile(side: int) -> np.ndarray:
    """Planes (Z, Y, X, 3) of one simulated field."""
    scene = Scene.build("he", "dense", "20x/0.75", seed=SEED, shape=(side, side))
    rng = np.random.default_rng(SEED)
    focus_um = float(np.median(scene.best_focus_um(0.0, 0.0)))
    axial_um = focus_um + STEP_UM * (np.arange(PLANES) - PLANES // 2)
    return np.stack(list(scene.stack(0.0, 0.0, axial_um, rng)))


def _write(folder: Path, planes: np.ndarray, stacks: int) -> None:
    z_um = tuple(STEP_UM * index for index in range(len(planes)))
    first = write_stack(folder / "stack-0.ome.tif", ZStack(planes, z_um, pixel_size_um=0.325))
    for number in range(1, stacks):
        shutil.copy(first, folder / f"stack-{number}.ome.tif")
