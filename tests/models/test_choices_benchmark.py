"""What ``benchmarks/single_shot_choices.py`` makes of what patches say: where a wrong figure would hide."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from napari_autofocus.focus.patches import PatchGrid


@pytest.fixture
def module(load_benchmark: Callable[[str], ModuleType], request: pytest.FixtureRequest) -> ModuleType:
    return load_benchmark(request.param)


crops = pytest.mark.parametrize("module", ["crops"], indirect=True)
choices = pytest.mark.parametrize("module", ["single_shot_choices"], indirect=True)
asking = pytest.mark.parametrize("module", ["single_shot_choices_run"], indirect=True)


def frame(true_um: float, defocus_um: list[float], weight: list[float]) -> dict[str, Any]:
    return {"true_um": true_um, "said": {"number": {"defocus_um": defocus_um, "weight": weight}}}


@crops
def test_a_crop_holds_the_content_of_its_patch(module: ModuleType) -> None:
    patch = np.full((128, 128, 3), 0.9, np.float32)
    patch[80:100, 8:28] = 0.2

    crop = module.most_contrast(patch, 64)

    assert crop.shape == (64, 64, 3)
    assert (crop < 0.5).sum() == (patch < 0.5).sum()
    assert module.most_contrast(patch, 128) is patch


@crops
def test_a_lesson_counts_directions_beyond_half_a_depth_of_field_only(module: ModuleType) -> None:
    truth, answers = np.array([4.0, -4.0, 0.2, 6.0]), np.array([4.5, 3.0, -0.2, 6.0])
    slides, stains = np.array(["a", "a", "b", "b"]), np.array(["he", "he", "ihc", "ihc"])
    lesson = module.Lesson(None, answers, truth, slides, stains)

    told = lesson.figures()
    of_one = lesson.figures(stains == "ihc")

    assert told["mae_um"] == pytest.approx((0.5 + 7.0 + 0.4 + 0.0) / 4, abs=1e-4)
    assert told["direction_success"] == pytest.approx(2 / 3, abs=1e-4)
    assert (of_one["patches"], of_one["slides"], of_one["direction_success"]) == (2, 1, 1.0)


@choices
def test_patches_are_pooled_from_the_most_important_one_on(module: ModuleType) -> None:
    frames = [frame(2.0, [2.5, 1.0, -9.0], [3.0, 1.0, 0.1]), frame(-1.0, [-1.1], [1.0]), frame(5.0, [], [])]

    one, two = (module.figures(frames, "number", number, "mean", 1.0) for number in (1, 2))
    weighted = module.figures(frames, "number", 2, "weighted_mean", 1.0)

    assert one["frames"] == 2  # the third holds nothing worth reading
    assert one["mae_um"] == pytest.approx((0.5 + 0.1) / 2)
    assert two["mae_um"] == pytest.approx((0.25 + 0.1) / 2)
    assert two["patches_read"] == 1.5
    assert weighted["mae_um"] == pytest.approx((0.125 + 0.1) / 2, abs=1e-4)
    assert one["direction_success"] == 1.0


@asking
def test_larger_patches_are_fewer_of_the_same_area(module: ModuleType) -> None:
    assert [module.patches_of(size, 128) for size in (112, 128, 224, 672)] == [42, 32, 10, 1]


@asking
def test_importance_of_another_size_is_that_of_the_patches_inside(module: ModuleType) -> None:
    judged = PatchGrid((256, 256), 128, 64)  # centres at 64, 128 and 192
    importance = np.arange(9, dtype=np.float32).reshape(3, 3)

    same = module.importance_in(judged, judged, importance)
    whole = module.importance_in(PatchGrid((256, 256), 256, 128), judged, importance)
    small = module.importance_in(PatchGrid((256, 256), 32, 16), judged, importance)

    np.testing.assert_array_equal(same, importance)
    assert whole.item() == pytest.approx(4.0)
    assert small[0, 0] == 0.0  # the nearest one's
    assert small[-1, -1] == 8.0


@asking
def test_the_network_for_any_size_is_the_models_own(
    module: ModuleType, load_benchmark: Callable[[str], ModuleType]
) -> None:
    networks = load_benchmark("single_shot_networks")
    package = networks.package_of("brightfield-20x")
    patches = np.random.default_rng(3).random((2, 3, 128, 128), np.float32)

    any_size = module.AnySize(package)

    np.testing.assert_allclose(
        any_size.predict(patches), networks.predictor_of(package, 1).engine.predict(patches), rtol=1e-4, atol=1e-4
    )
    assert any_size.predict(np.tile(patches, (1, 1, 2, 2))).shape == (2, 3)
