"""Which camera stands behind the simulated microscope, and that slides of trials and panels get it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.cameras import usual_camera
from napari_autofocus.workflows.trial_slides import TrialSlides


@pytest.mark.parametrize(
    ("stain", "colour", "bits"),
    [
        ("he", "rgb", 8),
        ("blood", "rgb", 8),
        ("unstained", "mono", 16),
        ("fluorescence", "mono", 16),
        ("beads", "mono", 16),
    ],
)
def test_what_shines_or_shifts_phase_is_seen_in_grey_and_16_bit(stain: str, colour: str, bits: int) -> None:
    camera = usual_camera(stain)
    assert (camera.colour, camera.bit_depth) == (colour, bits)


def test_another_camera_can_be_asked_for() -> None:
    assert usual_camera("beads", "rgb").bit_depth == 8
    assert usual_camera("he", "mono", bit_depth=12).bit_depth == 12
    assert usual_camera("he", exposure_ms=40.0).default_exposure_ms == 40.0
    with pytest.raises(InputError, match="infrared"):
        usual_camera("he", "infrared")


@pytest.mark.parametrize(("camera", "shape", "kind"), [(None, (48, 64), np.uint16), ("rgb", (48, 64, 3), np.uint8)])
def test_slides_of_trials_have_it(camera: str | None, shape: tuple[int, ...], kind: type) -> None:
    slides = TrialSlides("beads", "sparse", Objective.parse("20x/0.75"), 1, (48, 64), 25.0, camera=camera)
    scene = next(slides.slides(1)).scene
    frame = scene.snap(0, 0, 0, rng=np.random.default_rng(0))
    assert (frame.shape, frame.dtype) == (shape, kind)
    assert scene.camera.default_exposure_ms == 25.0
