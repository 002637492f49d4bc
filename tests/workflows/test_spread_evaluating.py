"""What several workers say about a data set is what one model says, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.models.dataset_evaluation import DatasetEvaluation, EvaluationSettings, evaluate_dataset
from napari_autofocus.models.predictor import load_model
from napari_autofocus.optics import PRESETS
from napari_autofocus.workflows.spread import HERE, Finished, Workers
from napari_autofocus.workflows.spreading import models as spread_models
from napari_autofocus.workflows.spreading.evaluating import spread_judge

MakeStack = Callable[..., ZStack]
MODEL = "brightfield-20x"


@pytest.fixture
def folder(tmp_path: Path, make_stack: MakeStack) -> Path:
    for number in range(2):
        stack = make_stack(3.3 + number, shape=(256, 256), planes=6, seed=number)
        write_stack(tmp_path / f"{number}.ome.tif", replace(stack, objective=PRESETS["20x/0.75"], pixel_size_um=0.325))
    (tmp_path / "labels.csv").write_text("path,best_z_um\n0.ome.tif,3.3\n1.ome.tif,4.3\n")
    return tmp_path


def run(folder: Path, workers: Workers) -> DatasetEvaluation:
    predictor = load_model(MODEL)
    work = evaluate_dataset(
        predictor, folder, EvaluationSettings(insist=True), judge=spread_judge(MODEL, predictor, workers)
    )
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value


def test_workers_answer_as_one_process_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers come back in another order than the stacks; processes are left out: test_spread has them."""

    def backwards(function: Callable[[object], object], items: list[object], *_: object) -> object:
        return (Finished(number, function(items[number])) for number in reversed(range(len(items))))

    here = run(folder, HERE)
    monkeypatch.setattr(spread_models, "spread", backwards)
    there = run(folder, Workers(count=2))
    timeless = [[replace(result, seconds=0.0) for result in each.evaluation.results] for each in (here, there)]
    assert timeless[0] == timeless[1]
    assert len(timeless[0]) == 12
    assert there.evaluation.warnings == here.evaluation.warnings
