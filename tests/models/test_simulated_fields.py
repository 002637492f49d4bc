"""Simulated fields: their labels are the simulation's truth, and each follows from its seed alone."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pytest

from napari_autofocus.models.samples import FieldSample
from napari_autofocus.models.simulated import fields as simulated_fields
from napari_autofocus.models.simulated.fields import (
    SimulatedFields,
    cover_glass_waves,
    off_nominal,
    simulate_field,
    simulate_fields,
    simulate_frames,
)
from napari_autofocus.optics import Objective
from napari_autofocus.simulation import Optics, Scene
from napari_autofocus.simulation.layers import has_content

SMALL: dict[str, Any] = {"shape": (256, 256), "planes": 5}
NOMINAL = SimulatedFields(**SMALL, even_share=0.0, off_nominal_share=0.0)
DENSE = SimulatedFields(**SMALL, even_share=0.0, off_nominal_share=0.0, density_shares=(1.0, 0.0, 0.0, 0.0))
EVEN = SimulatedFields(**SMALL, even_share=1.0, off_nominal_share=0.0, density_shares=(1.0, 0.0, 0.0, 0.0))
EMPTY = SimulatedFields(**SMALL, even_share=0.0, off_nominal_share=0.0, density_shares=(0.0, 0.0, 0.0, 1.0))
LENS = Objective.parse("20x/0.75")


class WatchedScene(Scene):
    """A scene that remembers where it was looked at."""

    made: list[WatchedScene]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.looks: list[tuple[float, float, float]] = []
        WatchedScene.made.append(self)

    def snap(self, x_um: float, y_um: float, axial_um: float, **kwargs: Any) -> npt.NDArray[Any]:
        self.looks.append((x_um, y_um, float(axial_um)))
        return super().snap(x_um, y_um, axial_um, **kwargs)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[WatchedScene]:
    """The scenes that are made in the meantime."""
    WatchedScene.made = []
    monkeypatch.setattr(simulated_fields, "Scene", WatchedScene)
    return WatchedScene.made


def _digest(field: FieldSample) -> list[int]:
    arrays = [*field.frames, field.defocus_um, field.importance]
    return [crc32(np.ascontiguousarray(array).tobytes()) for array in arrays]


def test_the_same_seed_gives_the_same_field() -> None:
    first, again = (simulate_field(SimulatedFields(**SMALL), 5) for _ in range(2))
    assert _digest(first) == _digest(again)
    assert (first.stain, first.density, first.slide) == (again.stain, again.density, again.slide)


def test_the_same_seed_gives_the_same_field_in_another_process() -> None:
    script = (
        "import numpy as np; from zlib import crc32\n"
        "from napari_autofocus.models.simulated.fields import SimulatedFields, simulate_field\n"
        "field = simulate_field(SimulatedFields(shape=(256, 256), planes=5), 5)\n"
        "arrays = [*field.frames, field.defocus_um, field.importance]\n"
        "print(*[crc32(np.ascontiguousarray(array).tobytes()) for array in arrays])"
    )
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=240)
    assert [int(word) for word in run.stdout.split()] == _digest(simulate_field(SimulatedFields(**SMALL), 5))


def test_a_field_does_not_depend_on_those_made_before_it() -> None:
    alone = simulate_field(NOMINAL, 8)
    _, after = simulate_fields(NOMINAL, [7, 8])
    assert _digest(alone) == _digest(after)


def test_seeds_differ_in_their_slides() -> None:
    first, second = simulate_fields(DENSE, [1, 2])
    assert first.slide != second.slide
    assert not np.array_equal(first.frames[0], second.frames[0])


def test_each_patch_is_labelled_with_its_own_distance_from_the_best_focus_map(watched: list[WatchedScene]) -> None:
    field = simulate_field(NOMINAL, 3)
    (scene,) = watched
    place, axial = scene.looks[0][:2], [look[2] for look in scene.looks]
    focus, content = scene.best_focus_map(*place), has_content(scene.content_at(*place))
    checked = 0
    for index in range(len(field.grid)):
        patch = field.grid.slices(index)
        if content[patch].mean() < 0.02:
            continue
        best_um = focus[patch][content[patch]].mean()
        found = field.defocus_um.reshape(len(axial), -1)[:, index]
        np.testing.assert_allclose(found, np.array(axial) - best_um, atol=0.01)
        checked += 1
    assert checked >= 5


def test_positive_labels_mean_that_sample_and_objective_are_too_close(watched: list[WatchedScene]) -> None:
    """The scene's axial position grows as they come together; a frame is like the clean image on its own side."""
    field = simulate_field(DENSE, 0)
    (scene,) = watched
    place = scene.looks[0][:2]
    best_um = scene.best_focus_um(*place)
    for frame, defocus in zip(field.frames[1:], np.median(field.defocus_um, axis=(1, 2))[1:], strict=True):
        own, mirrored = (_likeness(frame, scene.render(*place, best_um + side * defocus)) for side in (1, -1))
        assert 1 - own < 0.9 * (1 - mirrored)


def _likeness(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_the_first_plane_is_in_focus_and_each_other_one_in_its_own_part_of_the_range() -> None:
    settings = SimulatedFields(shape=(256, 256), planes=7, range_um=6.0, even_share=0.0, off_nominal_share=0.0)
    drawn = simulated_fields._planes(settings, np.random.default_rng(0))
    assert drawn[0] == 0
    parts = np.sort(np.floor((drawn[1:] + 6) / 2))
    np.testing.assert_array_equal(parts, [0, 1, 2, 3, 4, 5])
    assert not np.array_equal(drawn[1:], np.sort(drawn[1:]))


def test_even_optics_are_labelled_unsigned() -> None:
    assert not simulate_field(EVEN, 4).signed
    assert simulate_field(NOMINAL, 4).signed


def test_even_optics_look_alike_on_both_sides_of_focus_and_the_presets_do_not(watched: list[WatchedScene]) -> None:
    simulate_field(EVEN, 4)
    simulate_field(DENSE, 4)
    differences = []
    for scene in watched:
        place = scene.looks[0][:2]
        best_um = scene.best_focus_um(*place)
        near, far = (scene.render(*place, best_um + defocus) for defocus in (3.0, -3.0))
        differences.append(float(np.abs(near - far).max()))
    assert differences[0] < 1e-4
    assert differences[1] > 0.02


@pytest.mark.parametrize("run", range(6))
def test_even_optics_of_training_are_not_the_presets_own(run: int) -> None:
    optics = simulated_fields._optics("20x/0.75", "even", run)
    assert optics.even
    assert optics.objective.dof_um == 1.0
    assert 0.45 <= optics.objective.na <= 0.9


def test_a_thicker_cover_glass_adds_the_textbooks_spherical_aberration() -> None:
    """W040 = t·(n² − 1)/(8 n³)·NA⁴: 5 µm at NA 0.75 are 0.074 µm, 0.136 waves of 0.54 µm."""
    assert cover_glass_waves(5.0, 0.75) == pytest.approx(0.1364, abs=5e-4)
    assert cover_glass_waves(-5.0, 0.75) == -cover_glass_waves(5.0, 0.75)
    assert cover_glass_waves(5.0, 0.375) == pytest.approx(cover_glass_waves(5.0, 0.75) / 16)


def test_off_nominal_optics_stay_within_the_stated_faults_and_use_all_of_them() -> None:
    rng, usual = np.random.default_rng(0), Optics(LENS)
    drawn = [off_nominal(LENS, rng) for _ in range(400)]
    na = np.array([optics.objective.na / LENS.na for optics in drawn])
    waves = np.array([optics.spherical_waves - usual.spherical_waves for optics in drawn])
    most = cover_glass_waves(5.0, LENS.na)
    _assert_spans(na, 0.97, 1.03)
    _assert_spans(waves, -most, most)
    for colour in (0, 2):
        shift = np.array([o.colour_offsets_um[colour] / Optics(o.objective).colour_offsets_um[colour] for o in drawn])
        _assert_spans(shift, 0.8, 1.2)


def _assert_spans(values: npt.NDArray[np.float64], low: float, high: float) -> None:
    slack = 0.05 * (high - low)
    assert low - 1e-9 <= values.min() < low + slack
    assert high - slack < values.max() <= high + 1e-9


def test_the_exposures_drawn_saturate_no_camera() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        camera = simulated_fields.drawn_camera(rng)
        assert 0.85 * camera.gain * simulated_fields.drawn_exposure(camera, rng) <= 0.98


def test_empty_slides_have_no_patch_worth_learning_from() -> None:
    field = simulate_field(EMPTY, 1)
    assert field.density == "empty"
    assert field.importance.max() < 0.3


def test_slides_with_content_have_patches_worth_learning_from() -> None:
    assert simulate_field(DENSE, 1).importance.max() > 0.8


def test_frames_to_measure_on_say_how_far_from_the_fields_best_focus_they_are(watched: list[WatchedScene]) -> None:
    frames = list(simulate_frames(NOMINAL, [600_000, 600_001], 3, 10.0, shape=(256, 256)))
    looks = [(scene, look) for scene in watched for look in scene.looks]
    assert len(frames) == len(looks) == 6
    for frame, (scene, (x_um, y_um, axial_um)) in zip(frames, looks, strict=True):
        assert frame.true_um == pytest.approx(axial_um - scene.best_focus_um(x_um, y_um), abs=1e-6)
        assert abs(frame.true_um) <= 10
        assert frame.image.shape == (256, 256, 3)
        assert frame.optics is not None
        assert frame.optics.objective == LENS
        assert frame.density != "empty"


def test_frames_to_measure_on_follow_from_their_seed() -> None:
    first, again = (list(simulate_frames(NOMINAL, [600_003], 2, 10.0, shape=(256, 256))) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.true_um == other.true_um


def test_slides_to_measure_on_share_their_names_with_the_slides_of_the_same_seed_only() -> None:
    """So that a slide that was trained on is recognised as such."""
    (frame,) = simulate_frames(NOMINAL, [9], 1, 10.0, shape=(256, 256))
    assert frame.slide == simulate_field(NOMINAL, 9).slide
    assert frame.slide != simulate_field(NOMINAL, 10).slide
