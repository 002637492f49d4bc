"""Virtual refocusing of whole slides while something fails: it goes on, and ends as an undisturbed run does."""

from __future__ import annotations

import datetime
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zarr

from fault_files import FullDisk
from fault_stand import LENS
from fault_trial import Notes
from napari_autofocus.errors import InputError
from napari_autofocus.io.zarr import objective_to_json
from napari_autofocus.io.zarr_slide import open_slide
from napari_autofocus.models.package import CardOptics, NetworkCard, TrainingRecord, VirtualCard
from napari_autofocus.workflows.virtual_slide import SlideSettings, refocus_slide

SETTINGS = SlideSettings(register=False, tile_px=64)
SHAPE = (150, 200)


class Mean:
    """A refocuser: the mean of both shots, times a factor that tells one model from another."""

    def __init__(self, factor: float = 1.0, fails_at: int = 0) -> None:
        self.name, self.fingerprint = f"mean-{factor:g}", f"{round(factor * 100):064d}"
        self.card = VirtualCard(
            name=self.name,
            description="The mean of both shots.",
            optics=CardOptics.of(LENS, "mono"),
            stains=("he",),
            dof_um=1.0,
            half_um=(0.5, 3.0),
            error_um=1.0,
            stride_px=16,
            overlap_px=20,
            evaluation={},
            training=TrainingRecord(
                seed=1, minutes=1.0, finished=datetime.date(2026, 1, 2), code_version="0.1.0", patches_seen=1
            ),
            network=NetworkCard(architecture="none"),
        )
        self._factor, self._fails_at, self.asked = factor, fails_at, 0

    def refocus_tile(self, shots: np.ndarray) -> np.ndarray:
        """Shots of one channel each, shape (2, Y, X); image and uncertainty."""
        self.asked += 1
        if self.asked == self._fails_at:
            raise InputError("The model could not be run: the runtime ran out of memory; make tiles smaller.")
        mean = self._factor * shots.mean(axis=0, keepdims=True)
        return np.concatenate([mean, np.full_like(mean, 0.1)]).astype(np.float32)


def write_pair(folder: Path) -> None:
    """Two shots of a slide as OME-Zarr."""
    for name, seed in (("a", 1), ("b", 2)):
        values = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32), (0, 0), 3)
        image = (np.clip(0.5 + 1.2 * values, 0.02, 0.98) * 255).astype(np.uint8)
        group = zarr.open_group(str(folder / f"{name}.zarr"), mode="w", zarr_format=3)
        array = group.create_array("0", shape=SHAPE, chunks=(80, 80), dtype=np.uint8)
        array[:] = image
        scale = {"type": "scale", "scale": [LENS.pixel_size_um] * 2}
        axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
        datasets = [{"path": "0", "coordinateTransformations": [scale]}]
        ome = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
        group.attrs.update({"ome": ome, "napari-autofocus": {"objective": objective_to_json(LENS)}})


def _recover(folder: Path, refocuser: Mean, steps: int = 10**6) -> bool:
    """Refocus, for so many steps; whether it came to its end."""
    running: Any = refocus_slide(folder / "a.zarr", folder / "b.zarr", folder / "out.zarr", refocuser, SETTINGS)
    try:
        for _ in range(steps):
            next(running)
    except StopIteration:
        return True
    finally:
        running.close()
    return False


def read_slide(folder: Path) -> np.ndarray:
    """The slide that was recovered."""
    return np.asarray(open_slide(folder / "out.zarr").read(slice(None), slice(None)))


@cache
def undisturbed(factor: float) -> np.ndarray:
    """The slide that a run without faults makes, shape (150, 200)."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        write_pair(Path(name))
        assert _recover(Path(name), Mean(factor))
        return read_slide(Path(name))


def _check_goes_on(folder: Path, notes: Notes, factor: float = 1.0) -> None:
    notes.require(_recover(folder, Mean(factor)), "it does not come to its end")
    same = np.array_equal(read_slide(folder), undisturbed(factor))
    notes.require(same, "the slide is not that of an undisturbed run")
    left = sorted(path.name for path in folder.iterdir())
    notes.require(left == ["a.zarr", "b.zarr", "out.zarr"], f"left lie {left}")


def disk_full(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """Room for some tiles and not one byte more."""
    write_pair(folder)
    notes.at = int(rng.integers(1, 60_000))
    with FullDisk(folder, notes.at) as disk, notes.refusing("disk full"):
        _recover(folder, Mean())
        notes.end("done")
    notes.require(bool(disk.struck) == notes.struck, f"{disk.struck} writes failed and nothing was said")
    notes.require(not notes.struck or not (folder / "out.zarr").exists(), "half a slide bears the name of a whole one")
    _check_goes_on(folder, notes)


def stopped(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """Closed between two steps."""
    write_pair(folder)
    notes.at = int(rng.integers(1, 16))
    notes.struck = not _recover(folder, Mean(), notes.at)
    notes.end("cancelled" if notes.struck else "done", "Stopped between two tiles.")
    _check_goes_on(folder, notes)


def model_fails(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """The model raises at a tile."""
    write_pair(folder)
    notes.at = int(rng.integers(1, 13))
    with notes.refusing():
        _recover(folder, Mean(fails_at=notes.at))
        notes.end("done")
    _check_goes_on(folder, notes)


def another_model(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """The model's file is replaced between a stop and going on: no slide may be of two models."""
    write_pair(folder)
    notes.at = int(rng.integers(2, 16))
    notes.struck = not _recover(folder, Mean(), notes.at)
    try:
        done = _recover(folder, Mean(0.5))
    except InputError as error:
        notes.end("refused", str(error))
        _check_goes_on(folder, notes)
        return
    notes.end("begun anew" if done else "cancelled", "Tiles of the other model were not used.")
    notes.require(np.array_equal(read_slide(folder), undisturbed(0.5)), "a slide is of two models")


def input_damaged(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """A chunk of a slide is cut short while it is read; later it is whole again."""
    write_pair(folder)
    chunks = sorted(path for path in (folder / "b.zarr" / "0" / "c").rglob("*") if path.is_file())
    notes.at = int(rng.integers(len(chunks)))
    victim = chunks[notes.at]
    content = victim.read_bytes()
    victim.write_bytes(content[: int(rng.integers(0, len(content) - 8))])
    with notes.refusing():
        _recover(folder, Mean())
        notes.wrong("a damaged slide was recovered")
    victim.write_bytes(content)
    _check_goes_on(folder, notes)


TRIALS = {
    "disk full": disk_full,
    "stopped": stopped,
    "model fails": model_fails,
    "another model": another_model,
    "input damaged": input_damaged,
}
