"""A predictor compared with the labels of a folder of stacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fake_predictor import FakePredictor
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.models.dataset_evaluation import (
    DatasetEvaluation,
    EvaluationSettings,
    FrameJudged,
    evaluate_dataset,
)
from napari_autofocus.models.disturbed.frames import Disturbance
from napari_autofocus.models.labelled_stacks import ReadingSettings
from napari_autofocus.optics import PRESETS

MakeStack = Callable[..., ZStack]
LENS = PRESETS["20x/0.75"]


def counts_planes(image: np.ndarray) -> FocusEstimate:
    """The pixel in the corner says how far out of focus the frame is, in tenths of µm from 100."""
    value = (float(image[0, 0]) - 100) / 10
    return FocusEstimate("flat", value, 0.1, (value - 0.2, value + 0.2), 0.99)


@pytest.fixture
def folder(tmp_path: Path, make_stack: MakeStack) -> Path:
    """One labelled stack and one without label, both with their defocus written into the corner."""
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for name, best_z_um in (("a", 6.3), ("b", 7.8)):
        stack = make_stack(best_z_um, shape=(64, 64))
        stack.data[:, 0, 0] = np.round(100 + 10 * (stack.z_um - best_z_um))
        write_stack(inputs / f"{name}.ome.tif", replace(stack, objective=LENS, pixel_size_um=0.325))
    (inputs / "labels.csv").write_text("path,best_z_um\na.ome.tif,6.3\n")
    return inputs


def run(folder: Path, settings: EvaluationSettings | None = None) -> tuple[list[object], DatasetEvaluation]:
    steps, work = [], evaluate_dataset(FakePredictor(counts_planes), folder, settings)
    while True:
        try:
            steps.append(next(work))
        except StopIteration as finished:
            return steps, finished.value


def test_every_plane_in_the_range_of_the_model_is_one_frame(folder: Path) -> None:
    steps, found = run(folder)
    judged = [step for step in steps if isinstance(step, FrameJudged)]
    assert [(step.frame, step.frames) for step in judged] == [(number, 16) for number in range(1, 17)]
    assert found.evaluation.figures()["fields"] == 16
    assert found.evaluation.figures()["mae_um"] == pytest.approx(0, abs=0.1)
    assert found.evaluation.figures()["direction_success"] == 1.0


def test_it_says_what_was_labelled_by_brenner_and_what_was_left_out(folder: Path, make_stack: MakeStack) -> None:
    noise = np.random.default_rng(0).normal(128, 2, (15, 64, 96)).astype(np.uint8)
    write_stack(folder / "noise.ome.tif", replace(make_stack(6), data=noise))
    _, found = run(folder)
    told = found.to_json()
    assert told["labelled_by"] == {"table": 1, "Brenner": 1}
    assert [(Path(each["path"]).name, each["kind"]) for each in told["skipped"]] == [("noise.ome.tif", "untrusted")]
    assert found.notes() == [
        "Labelled by Brenner, because nobody else did: 1 of 2 stacks.",
        "Left out because their focus cannot be trusted: 1 stacks.",
    ]


def test_a_wrong_focus_direction_shows_in_the_figures(folder: Path) -> None:
    _, found = run(folder, EvaluationSettings(ReadingSettings(focus_direction=-1)))
    assert found.evaluation.figures()["direction_success"] == 0.0


def test_unknown_optics_are_refused_before_any_frame_is_judged(folder: Path, make_stack: MakeStack) -> None:
    write_stack(folder / "a.ome.tif", make_stack(6.3))
    with pytest.raises(InputError, match="does not state its objective and pixel size"):
        run(folder)
    assert run(folder, EvaluationSettings(insist=True))[1].evaluation.results
    assert run(folder, EvaluationSettings(lens=LENS, pixel_size_um=0.325))[1].evaluation.results


def test_a_folder_without_usable_stack_is_refused_with_the_reason(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,best_z_um\na.ome.tif,\nb.ome.tif,\n")
    with pytest.raises(InputError, match=r"2 were left out, the first because: .*in focus nowhere"):
        run(folder)


def test_stacks_far_from_focus_are_refused(folder: Path) -> None:
    (folder / "labels.csv").write_text("path,best_z_um\na.ome.tif,-90\nb.ome.tif,-90\n")
    with pytest.raises(InputError, match="none of the planes of its 2 stacks lies within 4 µm"):
        run(folder)


def test_the_written_record_holds_every_answer(folder: Path, tmp_path: Path) -> None:
    _, found = run(folder)
    record = json.loads(found.write(tmp_path / "new" / "report").read_text())
    assert record["mae_um"] == found.to_json()["mae_um"]
    assert len(record["frames"]) == 16
    assert {"true_um", "estimate_um", "verdict", "sigma_um"} <= set(record["frames"][0])


def test_disturbances_befall_every_frame_and_are_told(folder: Path) -> None:
    darker = EvaluationSettings(disturbances=(Disturbance("exposure", 0.5),))
    (_, clean), (_, found) = run(folder), run(folder, darker)
    for before, after in zip(clean.evaluation.results, found.evaluation.results, strict=True):
        assert 10 * after.estimate_um + 100 == pytest.approx((10 * before.estimate_um + 100) / 2, abs=0.51)
    assert found.to_json()["disturbances"] == {"exposure": 0.5}
    assert found.notes()[-1] == "The frames were disturbed before the model saw them: exposure=0.5."
    assert found.frames_are == "disturbed: exposure=0.5"
    assert "disturbances" not in clean.to_json()
    assert clean.frames_are == ""
