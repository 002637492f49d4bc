"""What ``benchmarks/densities.py`` makes of answers, and the fields it adds: where a wrong figure would hide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from types import ModuleType

import numpy as np
import pytest
from scipy import ndimage

from napari_autofocus.models.metrics import FieldResult
from napari_autofocus.simulation import Specimen

DOF_UM = 1.0


@pytest.fixture
def module(load_benchmark: Callable[[str], ModuleType], request: pytest.FixtureRequest) -> ModuleType:
    return load_benchmark(request.param)


def answer(slide: str, true_um: float, estimate_um: float | None, verdict: str = "flat", frames: int = 1) -> dict:
    result = FieldResult(f"{slide} at {true_um}", slide, "he", "sparse", true_um, estimate_um, verdict=verdict)
    return {**asdict(result), "frames": frames}


rows = pytest.mark.parametrize("module", ["density_rows"], indirect=True)


@rows
def test_a_frame_without_an_answer_counts_as_left_where_it_was(module: ModuleType) -> None:
    row = module.row_of([answer("a", 8.0, None, "no_peak"), answer("b", 2.0, 2.2), answer("b", -4.0, -4.2)], DOF_UM)

    assert row["mae_um"] == pytest.approx(0.2)
    assert row["refused"]["all"] == pytest.approx(1 / 3)
    assert row["all"]["mae_um"] == pytest.approx((8 + 0.2 + 0.2) / 3)
    assert row["all"]["within_half_dof"] == pytest.approx(2 / 3)


@rows
def test_a_guess_that_was_refused_gains_nothing(module: ModuleType) -> None:
    assert module.left_um(module.result_in(answer("a", 5.0, 5.1, "unsure"))) == 5.0


@rows
def test_standard_error_is_over_slides_not_over_starts(module: ModuleType) -> None:
    told = [
        answer(slide, 3.0 + step, 3.0 + step + error) for slide, error in (("a", 0.1), ("b", 0.3)) for step in (0, 1)
    ]

    assert module.row_of(told, DOF_UM)["all"]["standard_error_um"] == pytest.approx(0.1)


@rows
def test_methods_are_compared_over_the_starts_that_both_were_asked_from(module: ModuleType) -> None:
    told = {
        "ours": [answer("a", 1.0, 1.1), answer("a", 2.0, 4.0)],
        "all patches": [answer("a", 1.0, 1.4), answer("a", 2.0, 2.4)],
        "by contrast": [answer("a", 1.0, 1.0), answer("a", 2.0, 2.0)],
        "brent": [answer("a", 1.0, 1.05, frames=16)],
    }

    found = module.compared(told, "ours", ["by contrast"], ["brent"])

    assert found["best_single_frame"]["method"] == "all patches"
    assert found["best_single_frame"]["ratio"] == pytest.approx(1.05 / 0.4)
    assert found["best_of_all"]["method"] == "brent"
    assert found["best_of_all"]["starts"] == 1
    assert found["best_of_all"]["frames"] == 16
    assert found["best_of_all"]["ratio"] == pytest.approx(2.0)
    assert found["by contrast"]["ratio"] is None  # it was never wrong


@pytest.mark.parametrize("module", ["density_fields"], indirect=True)
@pytest.mark.parametrize("count", [1, 2])
def test_as_many_whole_cells_are_left_as_asked_for(module: ModuleType, count: int) -> None:
    shape, pixel_um, margin = (400, 480), 0.65, 16
    slides = tuple(Specimen("blood", "extremely-sparse", seed) for seed in (1, 2, 3))
    slide = module.FewCells(slides, count, seed=5)

    content = slide.field(0.0, 0.0, shape, pixel_um, margin)

    sheet = content.sheets[0]
    assert cells_of(sheet.content) == count
    assert content.inner(sheet.content).sum() == sheet.content.sum(), "a cell is cut by the frame"
    near = dilated(sheet.content, module.RIM_PX)
    assert sheet.absorbance[~near].max() == 0
    assert sheet.absorbance[sheet.content].max() > 0.1


@pytest.mark.parametrize("module", ["density_fields"], indirect=True)
def test_every_method_starts_from_the_same_places(module: ModuleType) -> None:
    ground = module.Ground("1 cell", 3)

    assert module.starts_um(ground, 2) == module.starts_um(ground, 5)[:2]
    assert max(map(abs, module.starts_um(ground, 50))) <= 10


@pytest.mark.parametrize("module", ["whole_image_data"], indirect=True)
def test_halving_averages_squares_of_two_pixels(module: ModuleType) -> None:
    image = np.array([[0, 4, 10, 10], [8, 4, 20, 20]], np.uint8)[None, :, :, None].repeat(3, axis=3)

    assert module.halved(image)[0, :, :, 0].tolist() == [[4, 15]]


def cells_of(content: np.ndarray) -> int:
    return int(ndimage.label(dilated(content, 5))[1])


def dilated(content: np.ndarray, by_px: int) -> np.ndarray:
    return np.asarray(ndimage.binary_dilation(content, np.ones((2 * by_px + 1,) * 2)))
