"""A model's file that is replaced or cut short: one that is loaded goes on answering, a broken one is not loaded."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import numpy as np

from fault_stand import OPTICS
from fault_trial import Notes
from napari_autofocus.errors import InputError
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.models.library import find_model
from napari_autofocus.models.predictor import load_model
from napari_autofocus.routines.refocus import RefocusConfig, refocus
from napari_autofocus.simulation.scene import Scene

MODEL, OTHER = "brightfield-20x", "brightfield-10x"


@cache
def _scene() -> Scene:
    return Scene.build("he", "dense", "20x/0.75", seed=3, shape=(256, 320))


def _spoil(path: Path, rng: np.random.Generator) -> str:
    """Replace the file, as an update, a bad copy or a full disk would."""
    content, how = path.read_bytes(), ("another", "noise", "short", "gone")[int(rng.integers(4))]
    if how == "another":
        shutil.copyfile(find_model(OTHER), path)
    elif how == "noise":
        path.write_bytes(rng.bytes(len(content) // 2))
    elif how == "short":
        path.write_bytes(content[: int(rng.integers(0, len(content)))])
    else:
        path.unlink()
    return how


def file_replaced(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """During a refocus: it ends by the model that it began with."""
    path = folder / "mine.zip"
    shutil.copyfile(find_model(MODEL), path)
    model = load_model(path)
    began_with = model.fingerprint
    scene = _scene()
    with simulated_rig(scene, clock=VirtualClock(), seed=int(rng.integers(99))) as rig:
        rig.microscope.focus.move_to(scene.best_focus_um(0.0, 0.0) + float(rng.choice([-4.0, 4.0])))
        steps, how = refocus(rig.microscope, model, RefocusConfig(optics=OPTICS)), ""
        notes.at = int(rng.integers(0, 2))
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                record = finished.value
                break
            if step.index == notes.at:
                how, notes.struck = _spoil(path, rng), True
        away_um = rig.true_defocus_um()
    notes.end(record.outcome, " ".join(record.reasons))
    notes.require(record.fingerprint == began_with, "the record names another model")
    notes.require(record.outcome == "focused" and abs(away_um) < 1.0, f"{record.outcome} at {away_um:+.2f} um")
    try:
        again = load_model(path)
    except InputError:
        notes.require(how != "another", "a whole file is refused")
    else:
        notes.require(how == "another" and again.fingerprint != began_with, f"a broken file ({how}) is loaded")


def file_cut_short(folder: Path, rng: np.random.Generator, notes: Notes) -> None:
    """A file that is half there, or with bytes changed, is not loaded."""
    content = bytearray(find_model(MODEL).read_bytes())
    path, notes.struck = folder / "mine.zip", True
    notes.at = int(rng.integers(0, len(content)))
    if rng.random() < 0.5:
        del content[notes.at :]
    else:
        for offset in rng.integers(0, len(content), 20):
            content[offset] ^= 0xFF
    path.write_bytes(bytes(content))
    with notes.refusing():
        load_model(path)
        notes.wrong("a damaged model is loaded")


TRIALS = {
    "file replaced": file_replaced,
    "file cut short": file_cut_short,
}
