"""Another slide on the simulated microscope while it stays connected."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.protocol import Image
from napari_autofocus.microscope.simulated import SimulatedRig
from rigs import TextureScene


class GreyScene(TextureScene):
    """Grey, 16 bits, of another size."""

    def snap(self, *place: float, exposure_ms: float | None = None, rng: np.random.Generator) -> Image:
        return super().snap(*place, exposure_ms=exposure_ms, rng=rng)[..., 0].astype(np.uint16) * 16


def test_frames_and_truth_are_those_of_the_new_slide(rig: SimulatedRig) -> None:
    slide = TextureScene(best_um=-3.0)
    rig.load(slide)
    assert rig.scene is slide
    assert rig.true_defocus_um() == pytest.approx(3.0)


def test_frames_may_have_another_shape_and_type(rig: SimulatedRig) -> None:
    rig.microscope.snap()
    scene = GreyScene(shape=(48, 56))
    rig.load(scene, rig.first_frame(scene))
    frame = rig.microscope.snap()
    assert (frame.image.shape, frame.image.dtype) == ((48, 56), np.dtype(np.uint16))


def test_live_mode_goes_on(rig: SimulatedRig) -> None:
    rig.microscope.live.start()
    rig.load(GreyScene(shape=(48, 56)))
    assert rig.microscope.live.is_running()
    assert rig.core.getImageWidth() == 56
    rig.microscope.live.stop()


def test_stages_stay_where_they_are(rig: SimulatedRig) -> None:
    rig.microscope.focus.move_to(6.0)
    rig.load(TextureScene(best_um=0.0))
    assert rig.true_defocus_um() == pytest.approx(6.0, abs=0.01)


def test_a_slide_for_another_objective_is_refused(rig: SimulatedRig) -> None:
    before, other = rig.scene, TextureScene()
    other.pixel_size_um = 0.65
    with pytest.raises(InputError, match=r"pixels of 0\.65 µm and this microscope has 0\.325 µm"):
        rig.load(other)
    assert rig.scene is before
