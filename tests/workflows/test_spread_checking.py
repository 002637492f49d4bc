"""What several workers say about simulated slides is what one model says, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from napari_autofocus.models.disturbed.frames import Disturbance
from napari_autofocus.models.pair_predictor import load_focus_model
from napari_autofocus.models.simulated.checks import CheckSettings
from napari_autofocus.models.simulated.evaluation import SimulatedEvaluation, evaluate_simulated
from napari_autofocus.workflows.spread import HERE, Finished, Workers
from napari_autofocus.workflows.spreading import models as spread_models
from napari_autofocus.workflows.spreading.checking import spread_check
from tiny_models import tiny_file

SLIDES = CheckSettings(
    fields=2,
    draws=2,
    densities=("dense", "sparse"),
    shape=(96, 128),
    disturbances=(Disturbance("noise", 0.01), Disturbance("motion-um", 1.0)),
)


def run(model: Path, workers: Workers) -> SimulatedEvaluation:
    predictor = load_focus_model(model)
    work = evaluate_simulated(predictor, SLIDES, judge=spread_check(str(model), predictor, workers))
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value


def test_workers_answer_as_one_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers come back in another order than the fields; processes are left out: test_spread has them."""

    def backwards(function: Callable[[object], object], items: list[object], *_: object) -> object:
        return (Finished(number, function(items[number])) for number in reversed(range(len(items))))

    model = tiny_file(tmp_path)
    here = run(model, HERE)
    monkeypatch.setattr(spread_models, "spread", backwards)
    there = run(model, Workers(count=2))
    timeless = [[replace(result, seconds=0.0) for result in each.evaluation.results] for each in (here, there)]
    assert timeless[0] == timeless[1]
    assert len(timeless[0]) == 8
