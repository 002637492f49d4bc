"""Refocusing through a monochrome 16-bit camera, what shines and what shows by phase alone, and through 10x/0.3."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from made_estimates import made_estimate
from napari_autofocus.focus.blur_order import blur_order, sharpness_means_focus
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.focus.transparent import is_for_transparent
from napari_autofocus.models.package import CardOptics
from napari_autofocus.optics import Objective
from napari_autofocus.records import RefocusRecord
from napari_autofocus.routines.refocus import RefocusConfig, refocus
from napari_autofocus.routines.tracking.sharpness import SharpnessWatch
from napari_autofocus.simulation.cameras import usual_camera
from napari_autofocus.simulation.scene import Scene
from rigs import RigMaker
from tiny_models import tiny_card
from truthful_model import TruthfulModel

SHAPE = (192, 224)
both_directions = pytest.mark.parametrize("direction", [1, -1])


def refocused(
    make_rig: RigMaker, stain: str, objective: str, start_um: float, direction: int, range_um: float = 10.0
) -> tuple[RefocusRecord, float, np.dtype]:
    """The record of one run with a model that knows the truth, the true defocus at its end, and what a pixel is."""
    lens = Objective.parse(objective)
    camera = usual_camera(stain)
    scene = Scene.build(stain, "dense", lens, seed=4, shape=SHAPE, camera=camera)
    rig = make_rig(scene, focus_direction=direction, exposure_ms=camera.default_exposure_ms)
    model = TruthfulModel(rig)
    decision = replace(model.card.decision, dof_um=lens.dof_um, range_um=range_um)
    model.card = tiny_card(
        stains=(stain,), optics=CardOptics.of(lens, camera.colour), decision=decision, colour=camera.colour
    )
    rig.microscope.focus.move_to(direction * (scene.best_focus_um(0, 0) + start_um))
    steps = refocus(rig.microscope, model, RefocusConfig(optics=ImageOptics(lens)))
    while True:
        try:
            kind = next(steps).frame.image.dtype
        except StopIteration as ended:
            return ended.value, rig.true_defocus_um(), kind


@both_directions
@pytest.mark.parametrize("stain", ["fluorescence", "beads", "unstained"])
def test_grey_fields_are_focused(make_rig: RigMaker, stain: str, direction: int) -> None:
    record, left_um, kind = refocused(make_rig, stain, "20x/0.75", 6.0, direction)
    assert record.outcome == "focused", record.reasons
    assert abs(left_um) <= 0.3
    assert kind == np.uint16


@both_directions
@pytest.mark.parametrize("start_um", [-20.0, 24.0])
def test_ten_times_is_focused_from_far_away(make_rig: RigMaker, start_um: float, direction: int) -> None:
    record, left_um, _ = refocused(make_rig, "he", "10x/0.3", start_um, direction, range_um=36.0)
    assert record.outcome == "focused", record.reasons
    assert record.dof_um == 10.0
    assert abs(left_um) <= 3.0


def test_pictures_of_grey_phase_objects_would_mislead_and_are_not_asked() -> None:
    scene = Scene.build("unstained", "dense", seed=4, shape=(256, 320), camera=usual_camera("unstained"))
    best_um = scene.best_focus_um(0, 0)
    rng = np.random.default_rng(0)
    frames = [scene.snap(0, 0, best_um + off_um, rng=rng) for off_um in (0.0, 2.0, 6.0)]
    assert not any(sharpness_means_focus(frame) for frame in frames)
    assert frames[0].std() < frames[1].std()  # least in focus
    assert blur_order(frames[2], frames[0]).is_blurrier  # in focus it looks like a blur of the one that is not


def test_what_a_model_was_taught_on_says_whether_sharpness_counts() -> None:
    assert is_for_transparent(tiny_card(stains=("unstained",)))
    assert not is_for_transparent(tiny_card(stains=("unstained", "he")))
    assert not is_for_transparent(tiny_card(stains=()))
    assert not is_for_transparent(object())


def test_a_hold_on_transparent_cells_goes_by_the_model_alone() -> None:
    watch = SharpnessWatch(0.5, 1.0, is_transparent=True)
    frame = np.random.default_rng(0).integers(0, 60_000, SHAPE).astype(np.uint16)
    near = made_estimate(SHAPE, 0.1)
    assert watch.share_of_best(frame, near) is None
    assert watch.share_of_best(np.full_like(frame, 30_000), near) is None
    unsure = FocusEstimate("unsure", 0.4, 0.5, direction_probability=0.6)
    assert watch.vouches_for(frame, unsure)
    assert not watch.vouches_for(frame, FocusEstimate("unsure", 0.4, 2.5, direction_probability=0.6))
    assert not watch.vouches_for(frame, FocusEstimate("unsure"))
