"""Simulated slides to check a model on fit its card, are its own for every seed, and carry their true defocus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import DecisionSettings
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.models.disturbed.frames import Disturbance
from napari_autofocus.models.evaluation import KnownFrame, KnownPair
from napari_autofocus.models.simulated.checks import (
    FIRST_SEED,
    CheckSettings,
    check_field,
    check_lens,
    check_stains,
)
from napari_autofocus.models.simulated.evaluation import evaluate_simulated
from napari_autofocus.optics import Objective
from tiny_models import OBJECTIVE, tiny_card

SMALL = CheckSettings(fields=2, draws=2, shape=(128, 160))


def frames(
    settings: CheckSettings = SMALL, density: str = "dense", number: int = 0, **card: object
) -> list[KnownFrame]:
    return [
        known for known in check_field(tiny_card(**card), settings, density, number) if isinstance(known, KnownFrame)
    ]


def test_frames_are_seen_through_the_models_optics_and_within_its_range() -> None:
    found = frames(decision=DecisionSettings(dof_um=1.0, range_um=4.0))
    assert [frame.image.shape for frame in found] == [(128, 160, 3)] * 2
    for frame in found:
        assert abs(frame.true_um) <= 4.0
        assert frame.stain == "he"
        assert frame.density == "dense"
        assert frame.optics is not None
        assert frame.optics.objective == replace(OBJECTIVE, stated_dof_um=1.0)


def test_a_model_for_grey_images_gets_16_bit_frames_of_drawn_exposures() -> None:
    found = frames(replace(SMALL, draws=6), colour="mono", stains=("fluorescence",))
    brightest = [float(np.quantile(frame.image, 0.999)) for frame in found]
    assert {frame.image.dtype for frame in found} == {np.dtype(np.uint16)}
    assert {frame.image.ndim for frame in found} == {2}
    assert max(brightest) > 2 * min(brightest)


def test_a_model_of_two_shots_gets_pairs_its_distance_apart() -> None:
    (first, second) = check_field(tiny_card(kind="two-shot", dz_um=2.0), SMALL, "dense", 0)
    for pair in (first, second):
        assert isinstance(pair, KnownPair)
        assert pair.dz_um == 2.0
        nearer = pair.second if abs(pair.true_um) < abs(pair.true_um - 2.0) else pair.first
        sharper = max((pair.first, pair.second), key=sharpness)
        assert sharper is nearer


def test_frames_near_focus_are_sharper_than_those_far_from_it() -> None:
    found = sorted(frames(replace(SMALL, draws=8)), key=lambda frame: abs(frame.true_um))
    found_sharpness = [sharpness(frame.image) for frame in found]
    assert found_sharpness[0] == max(found_sharpness)


def test_the_same_settings_give_the_same_frames_and_another_seed_others() -> None:
    first, again, other = frames(), frames(), frames(replace(SMALL, seed=1))
    assert np.array_equal(first[0].image, again[0].image)
    assert not np.array_equal(first[0].image, other[0].image)


def test_stains_take_turns_among_the_models_own() -> None:
    stains = [frames(density="sparse", number=n, stains=("he", "blood"))[0].stain for n in range(2)]
    assert sorted(str(stain) for stain in stains) == ["blood", "he"]


def test_extremely_sparse_fields_hold_content() -> None:
    settings = replace(SMALL, shape=(256, 256))
    for number in range(3):
        image = frames(settings, "extremely-sparse", number)[0].image
        assert image.min() < 0.9 * np.median(image)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    other=st.integers(0, 10**9),
    number=st.integers(0, 99_999),
    density=st.sampled_from(["dense", "sparse", "extremely-sparse", "empty"]),
)
def test_slides_of_different_seeds_differ_and_no_training_has_seen_them(
    seed: int, other: int, number: int, density: str
) -> None:
    found = CheckSettings(seed=seed).slide_seed(density, number)
    assert found >= FIRST_SEED
    assert (found == CheckSettings(seed=other).slide_seed(density, number)) == (seed == other)


def test_another_objective_can_be_asked_for() -> None:
    lens = Objective.parse("10x/0.3")
    assert check_lens(tiny_card(), replace(SMALL, lens=lens)) == lens


def test_a_card_without_a_stain_that_can_be_simulated_asks_for_one() -> None:
    card = tiny_card(stains=("golgi",))
    with pytest.raises(InputError, match=r"made for golgi; choose with --stain, among he, ihc"):
        check_stains(card, SMALL)
    assert check_stains(card, replace(SMALL, stains=("blood",))) == ("blood",)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"fields": 0}, "number of fields lies between 1 and 100,000; found 0"),
        ({"draws": 0}, "number of draws"),
        ({"seed": -1}, "seed is a whole number of at least 0; found -1"),
        ({"stains": ("gold",)}, "'gold' cannot be simulated"),
        ({"densities": ("full",)}, "'full' cannot be simulated; choose among dense"),
    ],
)
def test_settings_that_make_no_sense_are_told(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CheckSettings(**wrong)  # type: ignore[arg-type]


class Truth:
    """A model of the tiny card that always answers 0.5 µm."""

    name, fingerprint = "half", "f" * 64

    def __init__(self, **card: object) -> None:
        self.card = tiny_card(**card)
        self.seen: list[np.ndarray] = []

    def estimate(self, image: np.ndarray, **_: object) -> object:
        from made_estimates import made_estimate

        self.seen.append(image)
        return made_estimate((image.shape[0], image.shape[1]), 0.5)


def run(predictor: Truth, settings: CheckSettings) -> tuple[list[object], object]:
    work, steps = evaluate_simulated(predictor, settings), []  # type: ignore[arg-type]
    while True:
        try:
            steps.append(next(work))
        except StopIteration as finished:
            return steps, finished.value


def test_an_evaluation_asks_about_every_field_and_tells_what_was_simulated() -> None:
    steps, found = run(Truth(), replace(SMALL, densities=("dense", "sparse"), seed=3))
    told = found.to_json()  # type: ignore[attr-defined]
    assert len(steps) == told["fields"] == 8
    assert {name: row["fields"] for name, row in told["by_density"].items()} == {"dense": 4, "sparse": 4}
    assert told["simulated"] == {
        "seed": 3,
        "slides_of_each_density": 2,
        "draws": 2,
        "densities": ["dense", "sparse"],
        "stains": ["he"],
        "objective": "20x/0.75",
        "pixel_um": 0.325,
    }
    assert "disturbances" not in told


def test_disturbances_befall_the_frames_and_are_told() -> None:
    clean, moved = Truth(), Truth()
    few = replace(SMALL, densities=("dense",), fields=1)
    run(clean, few)
    _, found = run(moved, replace(few, disturbances=(Disturbance("motion-um", 2.0),)))
    for sharp, blurred in zip(clean.seen, moved.seen, strict=True):
        assert sharpness(blurred) < sharpness(sharp)
    assert found.to_json()["disturbances"] == {"motion-um": 2.0}  # type: ignore[attr-defined]
    assert "disturbed before the model saw them: motion-um=2." in " ".join(found.notes())  # type: ignore[attr-defined]
