"""From two shots to the defocus of the second: its sign, what is refused, and what is doubted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import napari_autofocus
from napari_autofocus.errors import InputError, OpticsRefused
from napari_autofocus.focus.estimate import PairPredictor
from napari_autofocus.models.package import open_package
from napari_autofocus.models.pair_predictor import PairModelPredictor, load_focus_model, load_pair_model
from napari_autofocus.models.predictor import ModelPredictor, load_model
from tiny_models import OPTICS, flat_frame, tiny_file
from tiny_pairs import pair_of, tiny_pair_file


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> PairModelPredictor:
    return load_pair_model(tiny_pair_file(tmp_path_factory.mktemp("models")))


def test_two_shots_become_the_defocus_of_the_second(predictor: PairPredictor) -> None:
    first, second = pair_of(0.2)
    estimate = predictor.estimate_pair(first, second, dz_um=2.0, optics=OPTICS)
    assert estimate.verdict == "flat"
    assert estimate.defocus_um == pytest.approx(4.0, abs=0.05)
    assert estimate.direction_probability > 0.95
    assert (estimate.model, estimate.warnings) == ("tiny-pair-20x", ())
    assert estimate.seconds is not None


def test_two_shots_the_other_way_round_are_told_of_the_second_too(predictor: PairModelPredictor) -> None:
    lower, upper = pair_of(0.2)
    estimate = predictor.estimate_pair(upper, lower, dz_um=-2.0, optics=OPTICS)
    assert estimate.verdict == "flat"
    assert estimate.defocus_um == pytest.approx(2.0, abs=0.05)
    assert all(patch.defocus_um == pytest.approx(2.0, abs=0.1) for patch in estimate.chosen_patches)


def test_a_turned_pair_whose_first_shot_is_beyond_the_range_is_refused(predictor: PairModelPredictor) -> None:
    lower, upper = pair_of(0.55)
    estimate = predictor.estimate_pair(upper, lower, dz_um=-2.0, optics=OPTICS)
    assert estimate.verdict == "out_of_range"
    assert "The first shot lies at +10.9" in estimate.reasons[0]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_the_same_light_gives_the_same_answer_in_every_kind(predictor: PairModelPredictor, kind: type) -> None:
    scale = {np.uint8: 1.0, np.uint16: 257.0, np.float32: 1 / 255}[kind]
    first, second = ((shot * scale).astype(kind) for shot in pair_of(0.2))
    estimate = predictor.estimate_pair(first, second, dz_um=2.0, optics=OPTICS)
    assert estimate.defocus_um == pytest.approx(4.0, abs=0.05)


def test_a_12_bit_camera_is_read_by_its_own_full_scale(predictor: PairModelPredictor) -> None:
    first, second = ((shot * (4095 / 255)).astype(np.uint16) for shot in pair_of(0.2))
    estimate = predictor.estimate_pair(first, second, dz_um=2.0, optics=OPTICS, bit_depth=12)
    assert estimate.defocus_um == pytest.approx(4.0, abs=0.05)


def test_only_patches_in_a_region_count(predictor: PairModelPredictor) -> None:
    first, second = pair_of(0.2)
    second[:, 96:, 0] = 255 * 0.5
    region = np.zeros(first.shape[:2], bool)
    region[:, 104:] = True
    estimate = predictor.estimate_pair(first, second, dz_um=2.0, optics=OPTICS, region=region)
    assert estimate.defocus_um == pytest.approx(2.0, abs=0.1)


def test_a_stage_that_did_not_move_makes_unsure(predictor: PairModelPredictor) -> None:
    shot, rng = pair_of(0.2)[1].astype(int), np.random.default_rng(1)
    first, second = (np.clip(shot + rng.normal(0, 2, shot.shape), 0, 255).astype(np.uint8) for _ in range(2))
    for one, other in ((first, second), (first, first)):
        estimate = predictor.estimate_pair(one, other, dz_um=2.0, optics=OPTICS)
        assert estimate.verdict == "unsure"
        assert "as if the focus drive had not moved by +2.00 µm" in estimate.reasons[0]


def test_shots_of_two_places_make_unsure(predictor: PairModelPredictor) -> None:
    first, second = pair_of(0.2)
    estimate = predictor.estimate_pair(first, second[::-1, ::-1], dz_um=2.0, optics=OPTICS)
    assert estimate.verdict == "unsure"
    assert "do not show the same place" in estimate.reasons[0]


def test_empty_glass_has_no_content(predictor: PairModelPredictor) -> None:
    white = np.full((160, 192, 3), 255, np.uint8)
    assert predictor.estimate_pair(white, white, dz_um=2.0, optics=OPTICS).verdict == "no_content"


@pytest.mark.parametrize("dz_um", [0.0, float("nan"), float("inf")])
def test_shots_without_a_distance_are_refused(predictor: PairModelPredictor, dz_um: float) -> None:
    with pytest.raises(InputError, match="Two shots lie a known distance apart"):
        predictor.estimate_pair(*pair_of(0.2), dz_um=dz_um, optics=OPTICS, insist=True)


def test_another_distance_is_refused_unless_one_insists(predictor: PairModelPredictor) -> None:
    shots = pair_of(0.2)
    assert predictor.estimate_pair(*shots, dz_um=2.19, optics=OPTICS).warnings == ()
    with pytest.raises(InputError, match=r"3 µm apart; the model was made for 2 µm"):
        predictor.estimate_pair(*shots, dz_um=-3.0, optics=OPTICS)
    (warning,) = predictor.estimate_pair(*shots, dz_um=3.0, optics=OPTICS, insist=True).warnings
    assert "3 µm apart" in warning


def test_unknown_optics_are_refused_unless_one_insists(predictor: PairModelPredictor) -> None:
    with pytest.raises(OpticsRefused):
        predictor.estimate_pair(*pair_of(0.2), dz_um=2.0)
    assert predictor.estimate_pair(*pair_of(0.2), dz_um=2.0, insist=True).warnings


def test_shots_that_are_not_alike_are_refused(predictor: PairModelPredictor) -> None:
    first, second = pair_of(0.2)
    with pytest.raises(InputError, match=r"shape of the first is \(160, 192, 3\), of the second \(160, 100, 3\)"):
        predictor.estimate_pair(first, second[:, :100], dz_um=2.0, optics=OPTICS)
    with pytest.raises(InputError, match="type of the first is uint8, of the second uint16"):
        predictor.estimate_pair(first, second.astype(np.uint16), dz_um=2.0, optics=OPTICS)


def test_the_shots_are_never_changed(predictor: PairModelPredictor) -> None:
    shots = pair_of(0.2)
    kept = [shot.copy() for shot in shots]
    predictor.estimate_pair(*shots, dz_um=2.0, optics=OPTICS)
    assert all(np.array_equal(now, before) for now, before in zip(shots, kept, strict=True))


def test_a_sparing_model_gives_the_same_answer(predictor: PairModelPredictor) -> None:
    shots = pair_of(0.2)
    answers = [
        each.estimate_pair(*shots, dz_um=2.0, optics=OPTICS).defocus_um
        for each in (predictor, predictor.sparing(), predictor.on_one_thread())
    ]
    assert answers == pytest.approx([4.0] * 3, abs=0.05)


def test_each_kind_of_model_is_opened_as_what_it_is(tmp_path: Path) -> None:
    one, two = tiny_file(tmp_path), tiny_pair_file(tmp_path)
    assert isinstance(load_focus_model(one), ModelPredictor)
    assert isinstance(load_focus_model(two), PairModelPredictor)
    assert load_pair_model(two).card.dz_um == 2.0
    with pytest.raises(InputError, match=r"tells defocus from one shot, and a model is wanted that .* two shots"):
        load_pair_model(one)
    with pytest.raises(InputError, match=r"tells defocus from two shots, and a model is wanted that .* one shot"):
        load_model(two)
    with pytest.raises(InputError, match="takes one shot, not two"):
        PairModelPredictor(open_package(one))


def test_models_of_two_shots_are_opened_from_the_top() -> None:
    assert napari_autofocus.load_pair_model is load_pair_model


def test_a_frame_too_small_for_a_patch_is_refused(predictor: PairModelPredictor) -> None:
    small = flat_frame(shape=(16, 100))
    with pytest.raises(InputError, match="16 x 100 px is too small for the model tiny-pair-20x"):
        predictor.estimate_pair(small, small, dz_um=2.0, optics=OPTICS)
