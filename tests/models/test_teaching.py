"""From data to a package: both stages taught and resumed, calibrated on frames that were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from made_fields import SIZE, STRIDE, both_kinds, made_dataset, weights

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import Calibration
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.evaluation import KnownFrame
from napari_autofocus.models.importance import ImportanceSettings
from napari_autofocus.models.package import open_package
from napari_autofocus.models.packaging import calibrate
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.teaching import FrameSeen, TeachingPlan, first_networks, teach
from napari_autofocus.models.training import TrainingSettings
from tiny_models import OPTICS, flat_frame, tiny_file

BRIEF = TrainingSettings(samples=8, batch=4, validate_every=4)
PLAN = TeachingPlan(
    importance=ImportanceSettings(reduction=8, patch_px=SIZE, stride_px=STRIDE, widths=(4,)),
    importance_training=BRIEF,
    defocus_training=BRIEF,
)
_Result = TypeVar("_Result")


def _finish(running: Generator[Any, None, _Result]) -> tuple[list[Any], _Result]:
    steps = []
    while True:
        try:
            steps.append(next(running))
        except StopIteration as finished:
            return steps, finished.value


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return made_dataset(tmp_path / "data", both_kinds(), patches_per_plane=12)


def test_stages_are_taught_one_after_the_other_and_leave_their_history(tmp_path: Path, data: Dataset) -> None:
    steps, taught = _finish(teach(PLAN, data, tmp_path / "work", dof_um=1.0))
    stages = [step.stage for step in steps]
    assert stages == sorted(stages, reverse=True)
    assert set(stages) == {"importance", "defocus"}
    history = taught.history()
    assert {name: [entry["samples"] for entry in history[name]] for name in history} == {
        "importance": [4, 8],
        "defocus": [4, 8],
    }
    assert taught.record({"why": "test"}).patches_seen == 8


def test_teaching_that_was_stopped_in_the_second_stage_goes_on_exactly(tmp_path: Path, data: Dataset) -> None:
    _, whole = _finish(teach(PLAN, data, tmp_path / "whole", dof_um=1.0))
    stopped = teach(PLAN, data, tmp_path / "pieces", dof_um=1.0)
    while next(stopped).stage == "importance":
        pass
    stopped.close()
    steps, pieced = _finish(teach(PLAN, data, tmp_path / "pieces", dof_um=1.0))
    assert {step.stage for step in steps} == {"defocus"}
    for one, other in ((whole.defocus, pieced.defocus), (whole.importance, pieced.importance)):
        first, second = weights(one.network), weights(other.network)
        assert [name for name in first if not torch.equal(first[name], second[name])] == []


def test_first_weights_follow_from_the_seeds() -> None:
    def drawn(defocus_seed: int = 0) -> list[torch.Tensor]:
        plan = replace(PLAN, defocus_training=replace(BRIEF, seed=defocus_seed))
        return [next(iter(network.parameters())) for network in first_networks(plan)]

    (judging, looking), again = drawn(), drawn()
    assert torch.equal(judging, again[0])
    assert torch.equal(looking, again[1])
    other = drawn(defocus_seed=1)
    assert not torch.equal(judging, other[0])
    assert torch.equal(looking, other[1])


def test_a_base_without_the_networks_of_a_single_shot_is_refused(tmp_path: Path) -> None:
    package = open_package(tiny_file(tmp_path))
    with pytest.raises(InputError, match=r"TinyDefocus|has not the networks"):
        first_networks(PLAN, package)


def test_slides_to_hold_back_hold_for_both_stages(tmp_path: Path, data: Dataset) -> None:
    with pytest.raises(InputError, match="too few to train and to validate on"):
        next(teach(PLAN, data, tmp_path, dof_um=1.0, holding=Holding(slides=("nobody",))))


def _known(true_um: float, error_um: float, number: int) -> KnownFrame:
    return KnownFrame(
        flat_frame((true_um + error_um) / 20 + 0.5), true_um, f"frame-{number}", f"slide-{number}", optics=OPTICS
    )


@pytest.fixture
def predictor(tmp_path: Path) -> Callable[[], ModelPredictor]:
    return lambda: ModelPredictor(open_package(tiny_file(tmp_path)))


def test_calibration_sees_each_frame_and_passes_over_those_out_of_range(
    predictor: Callable[[], ModelPredictor],
) -> None:
    """Sixty frames, twenty of them beyond ±10 µm: forty are left, too few."""
    far = [_known(15.0, -8.0, n) for n in range(20)]
    near = [_known(4.0, 0.5, n) for n in range(40)]
    running = calibrate(predictor(), far + near)
    seen: list[FrameSeen] = []
    with pytest.raises(InputError, match="at least 50 fields of known defocus; found 40"):
        seen.extend(running)
    assert seen[-1] == FrameSeen("calibrating", 60)
    otherwise = Calibration(floor_um=0.7)
    steps, found = _finish(calibrate(predictor(), far + near, otherwise=otherwise))
    assert len(steps) == 60
    assert found == otherwise


def test_a_predictor_that_is_often_wrong_is_trusted_less(predictor: Callable[[], ModelPredictor]) -> None:
    rng = np.random.default_rng(0)

    def fitted(scatter_um: float) -> Calibration:
        frames = [_known(float(t), float(rng.normal(0, scatter_um)), n) for n, t in enumerate(rng.uniform(-6, 6, 60))]
        return _finish(calibrate(predictor(), frames))[1]

    good, bad = fitted(0.2), fitted(1.0)
    assert np.hypot(bad.floor_um, 0.1 * bad.patch_scale) > 2 * np.hypot(good.floor_um, 0.1 * good.patch_scale)
