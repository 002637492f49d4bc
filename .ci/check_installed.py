"""Checks, in an environment into which only the wheel was installed, that napari finds the plugin and all it names, and
that the models it ships answer: without torch, which only training takes."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from npe2 import PluginManager

import napari_autofocus
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.focus.likeness import psnr_db
from napari_autofocus.focus.two_looks import settle
from napari_autofocus.io import open_stack
from napari_autofocus.models.library import InstalledModel, installed_models
from napari_autofocus.models.package import ModelCard, VirtualCard
from napari_autofocus.sample_data import sample_path
from napari_autofocus.simulation import Camera, Scene

COMMAND = Path(sys.executable).with_name("napari-autofocus")
SEED = 11_900_000
"""Of the simulated slides; training and benchmarks use others."""
SHARES_OF_RANGE = (-0.6, 0.0, 0.3)
README_MODEL, README_SAMPLE, README_PLANE = "brightfield-20x", "he_dense", 5
"""The command that the README tells a new user to run."""


def check_plugin() -> None:
    """Everything that the manifest names is there."""
    manager = PluginManager.instance()
    manager.discover()
    manifest = manager.get_manifest("napari-autofocus")
    commands = manifest.contributions.commands or []
    names = [command.python_name for command in commands if command.python_name]
    if not names:
        sys.exit("the manifest names no command")
    for name in names:
        module, _, attribute = name.partition(":")
        if not hasattr(importlib.import_module(module), attribute):
            sys.exit(f"{name} does not exist")
    for sample in manifest.contributions.sample_data or []:
        layers = sample.open()
        if not layers:
            sys.exit(f"sample data {sample.key} opens nothing")
    print(f"plugin: {len(names)} commands import, {len(manifest.contributions.sample_data or [])} samples open")


def check_models() -> None:
    """Every model that ships opens, is listed, and answers frames of its own optics."""
    if importlib.util.find_spec("torch") is not None:
        sys.exit("torch is installed, although a plain installation does without")
    shipped = [model for model in installed_models() if model.place == "shipped"]
    if not shipped:
        sys.exit("the wheel ships no model")
    listed = {model["name"]: model["fault"] for model in ask("models")["models"] if model["place"] == "shipped"}
    for model in shipped:
        if listed.get(model.name, "not listed") is not None:
            sys.exit(f"the command models says of {model.name}: {listed.get(model.name, 'nothing')}")
        check_answers(model)
    print(f"models: {', '.join(listed)} answer")


def check_answers(model: InstalledModel) -> None:
    """Simulated shots on both sides of focus and in it are told within a depth of field, or recovered."""
    card = model.card
    assert card is not None  # a broken one has a fault, which was told
    scene = scene_for(card)
    if isinstance(card, VirtualCard):
        check_recovered(model.name, scene)
        return
    for share in SHARES_OF_RANGE:
        true_um = share * card.range_um
        check_estimate(model.name, estimate(model.name, card, scene, true_um).to_json(), true_um, card.dof_um)


def estimate(name: str, card: ModelCard, scene: Scene, true_um: float) -> FocusEstimate:
    """What a model says of a simulated field at such a defocus, from as many shots as it takes.

    Where one shot does not tell the side, a second one a known way off settles it, as in a refocus.
    """
    focus_um, rng = scene.best_focus_um(0, 0), np.random.default_rng(SEED)
    image = scene.snap(0, 0, focus_um + true_um, rng=rng)
    optics = ImageOptics(card.optics.objective)
    if card.dz_um is None:
        model, way_um = napari_autofocus.load_model(name), 2 * card.dof_um
        found = model.estimate(image, optics=optics)
        if found.verdict != "unsure":
            return found
        other = model.estimate(scene.snap(0, 0, focus_um + true_um + way_um, rng=rng), optics=optics)
        return settle(other, found, -way_um, dof_um=card.dof_um, range_um=card.range_um) or found
    first = scene.snap(0, 0, focus_um + true_um - card.dz_um, rng=rng)
    return napari_autofocus.load_pair_model(name).estimate_pair(first, image, dz_um=card.dz_um, optics=optics)


def check_recovered(name: str, scene: Scene) -> None:
    """Two shots 2 µm either side of focus become an image nearer to the truth than the better of them."""
    focus_um, rng = scene.best_focus_um(0, 0), np.random.default_rng(SEED)
    first, second, truth = (scene.snap(0, 0, focus_um + off_um, rng=rng) for off_um in (-2.0, 2.0, 0.0))
    steps = napari_autofocus.load_refocuser(name).refocus(first, second, optics=ImageOptics(scene.objective))
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            image = finished.value.image
            break
    before, after = max(psnr_db(shot, truth) for shot in (first, second)), psnr_db(image, truth)
    if not after > before + 3:
        sys.exit(f"{name} recovers {after:.1f} dB from shots of {before:.1f} dB")


def scene_for(card: ModelCard | VirtualCard) -> Scene:
    """A dense slide of the first stain that a model was made for, through its own optics."""
    camera = Camera(colour=card.optics.colour)
    return Scene.build(card.stains[0], "dense", card.optics.objective, seed=SEED, shape=(512, 512), camera=camera)


def check_readme() -> None:
    """The command that the README begins with gives the sample's true defocus."""
    path = sample_path(README_SAMPLE)
    with path.with_name("labels.csv").open(encoding="utf-8", newline="") as table:
        best_z_um = {row["path"]: float(row["best_z_um"]) for row in csv.DictReader(table)}[path.name]
    z_um = open_stack(path).z_um[README_PLANE]
    (found,) = ask("estimate", path, "--plane", README_PLANE, "--model", README_MODEL)["images"]
    check_estimate(README_MODEL, found, z_um - best_z_um, 1.0)
    print(f"sample: {found['defocus_um']:+.2f} µm told, {z_um - best_z_um:+.2f} µm true")


def check_estimate(name: str, found: dict[str, Any], true_um: float, at_most_um: float) -> None:
    """Stop unless an answer is trusted and right."""
    if not found["trusted"]:
        sys.exit(f"{name} does not trust its answer at {true_um:+.2f} µm: {' '.join(found['reasons'])}")
    if abs(found["defocus_um"] - true_um) > at_most_um:
        sys.exit(f"{name} tells {found['defocus_um']:+.2f} µm where {true_um:+.2f} µm is true")


def ask(*words: object) -> dict[str, Any]:
    """The JSON object that a command prints."""
    told = subprocess.run(
        [COMMAND, *map(str, words), "--json"], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout
    return dict(json.loads(told))


if __name__ == "__main__":
    check_plugin()
    check_models()
    check_readme()
