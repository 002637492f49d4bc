"""A predictor asked frame by frame, and its answers kept beside the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from fake_predictor import FakePredictor
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics, PatchPrediction
from napari_autofocus.models.evaluation import Evaluation, FieldDone, KnownFrame, evaluate
from napari_autofocus.optics import PRESETS

OPTICS = ImageOptics(PRESETS["20x/0.75"])


def known(true_um: float, density: str = "dense", optics: ImageOptics | None = OPTICS) -> KnownFrame:
    image = np.full((4, 4), 100 + 10 * true_um, np.uint8)
    return KnownFrame(image, true_um, "stack.tif", "slide", "he", density, optics)


def reads_grey_value(image: np.ndarray) -> FocusEstimate:
    """Right but for 0.5 µm, and sure of itself within 1 µm."""
    value = (float(image[0, 0]) - 100) / 10 + 0.5
    patches = (PatchPrediction(0, 0, 4, 1.0, True, value, 0.4, 0.9), PatchPrediction(0, 0, 4, 0.1))
    return FocusEstimate(
        "flat", value, 0.6, (value - 1, value + 1), 0.99, patches=patches, warnings=("Other optics.",), seconds=0.02
    )


def run(predictor: FakePredictor, *frames: KnownFrame, insist: bool = False) -> tuple[list[FieldDone], Evaluation]:
    steps, work = [], evaluate(predictor, iter(frames), insist=insist)
    while True:
        try:
            steps.append(next(work))
        except StopIteration as finished:
            return steps, finished.value


def test_each_answer_stands_beside_its_truth() -> None:
    steps, evaluation = run(FakePredictor(reads_grey_value), known(2.0), known(-3.0, "sparse"))
    assert [step.done for step in steps] == [1, 2]
    first = evaluation.results[0]
    assert first == steps[0].result
    assert (first.true_um, first.estimate_um, first.sigma_um, first.chosen) == (2.0, 2.5, 0.6, 1)
    assert (first.source, first.slide, first.stain, first.density) == ("stack.tif", "slide", "he", "dense")
    assert evaluation.warnings == ("Other optics.",)


def test_json_has_the_keys_of_the_shell_contract() -> None:
    _, evaluation = run(FakePredictor(reads_grey_value), known(2.0), known(-3.0, "sparse"), known(0.2, "sparse"))
    told = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
    assert told["fields"] == 3
    assert told["mae_um"] == told["mae_dof"] == pytest.approx(0.5)
    assert (told["within_half_dof"], told["direction_success"], told["interval90_coverage"]) == (1.0, 1.0, 1.0)
    assert {name: row["fields"] for name, row in told["by_density"].items()} == {"dense": 1, "sparse": 2}
    assert told["by_stain"]["he"]["fields"] == 3
    assert [row["fields"] for row in told["by_defocus"]] == [0, 1, 0, 0, 0, 1, 0, 1, 0, 0]


def test_a_refusal_keeps_what_its_patches_would_have_said() -> None:
    patches = tuple(PatchPrediction(0, 0, 4, 1.0, True, value, 1.0, 0.5) for value in (-9.0, 4.0, 5.0))
    refusing = FakePredictor(lambda image: FocusEstimate("unsure", patches=patches))
    _, evaluation = run(refusing, known(2.0))
    assert evaluation.results[0].refused
    assert evaluation.results[0].estimate_um == 4.0
    assert evaluation.figures()["mae_um"] is None
    assert evaluation.figures()["if_refused_had_answered"]["mae_um"] == pytest.approx(2.0)


def test_frames_are_taken_one_at_a_time() -> None:
    taken = []

    def frames() -> Iterator[KnownFrame]:
        for number in range(3):
            taken.append(number)
            yield known(float(number))

    work = evaluate(FakePredictor(reads_grey_value), frames())
    next(work)
    assert taken == [0]


def test_unknown_optics_are_refused_unless_insisted_on() -> None:
    predictor = FakePredictor(reads_grey_value)
    with pytest.raises(InputError, match="optics are unknown"):
        run(predictor, known(1.0, optics=None))
    assert len(run(predictor, known(1.0, optics=None), insist=True)[1].results) == 1
