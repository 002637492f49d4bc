from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.replay import PlaneReplay
from rigs import RigMaker, TextureScene


def test_planes_of_a_scene_come_back_at_their_places(make_rig: RigMaker, texture_scene: TextureScene) -> None:
    rng = np.random.default_rng(0)
    replay = PlaneReplay.of(texture_scene, np.arange(-3.0, 3.5, 0.5), rng=rng)
    rig = make_rig(replay, reject_repeats=False, focus_direction=-1)
    rig.microscope.focus.move_to(-1.4)
    expected = replay.snap(0.0, 0.0, 1.5, rng=rng)
    assert np.array_equal(rig.microscope.snap().image, expected)
    assert rig.true_defocus_um() == pytest.approx(1.4 - 1.5)


@pytest.mark.parametrize("axial_um", [[0.0, 1.0], [0.0, 2.0, 1.0]])
def test_planes_without_ascending_places_are_refused(axial_um: list[float]) -> None:
    with pytest.raises(InputError):
        PlaneReplay(np.ones((3, 4, 4), np.uint8), axial_um, pixel_size_um=1.0, best_focus_um=0.0)
