"""From a frame to an estimate: what is read of it, what is refused, and that every way of running gives one answer."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_autofocus
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import DecisionSettings, FocusPredictor, ImageOptics
from napari_autofocus.models.package import open_package
from napari_autofocus.models.predictor import MOST_BESIDE_LIVE, ModelPredictor, every_patch, load_model
from napari_autofocus.models.seeing.engines import Engine, OnnxEngine
from napari_autofocus.optics import Objective
from tiny_models import OPTICS, PATCH, STRIDE, flat_frame, tiny_file


@pytest.fixture
def predictor(tmp_path: Path) -> ModelPredictor:
    return load_model(tiny_file(tmp_path))


class Watched:
    """An engine that remembers what it was shown."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.overviews: list[np.ndarray] = []
        self.batches: list[np.ndarray] = []

    def importance(self, overview: np.ndarray) -> np.ndarray:
        self.overviews.append(overview)
        return self.engine.importance(overview)

    def predict(self, patches: np.ndarray) -> np.ndarray:
        self.batches.append(patches)
        return self.engine.predict(patches)


def test_a_frame_becomes_a_signed_defocus(predictor: FocusPredictor) -> None:
    estimate = predictor.estimate(flat_frame(0.6), optics=OPTICS)
    assert estimate.verdict == "flat"
    assert estimate.defocus_um == pytest.approx(2.0, abs=0.02)
    assert estimate.uncertainty_um is not None
    assert estimate.model == "tiny-20x"
    assert estimate.warnings == ()
    assert estimate.seconds is not None
    assert estimate.seconds > 0


@pytest.mark.parametrize(("red", "expected_um"), [(0.2, -6.0), (0.8, 6.0)])
def test_the_sign_is_the_networks(predictor: FocusPredictor, red: float, expected_um: float) -> None:
    assert predictor.estimate(flat_frame(red), optics=OPTICS).defocus_um == pytest.approx(expected_um, abs=0.02)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64, ">u2"])
def test_the_same_light_gives_the_same_answer_in_every_type(predictor: FocusPredictor, dtype: Any) -> None:
    frame = flat_frame(0.6)
    scale = (
        {"u": np.iinfo(np.dtype(dtype)).max / 255}.get(np.dtype(dtype).kind) if np.dtype(dtype).kind == "u" else 1 / 255
    )
    estimate = predictor.estimate((frame * scale).astype(dtype), optics=OPTICS)
    assert estimate.defocus_um == pytest.approx(2.0, abs=0.02)


def test_a_12_bit_camera_is_read_by_its_own_full_scale(predictor: ModelPredictor) -> None:
    frame = (flat_frame(0.6) * (4095 / 255)).astype(np.uint16)
    estimate = predictor.estimate(frame, optics=OPTICS, bit_depth=12)
    assert estimate.defocus_um == pytest.approx(2.0, abs=0.02)


def test_every_patch_of_the_grid_is_told_and_few_are_read(predictor: ModelPredictor) -> None:
    estimate = predictor.estimate(flat_frame(shape=(160, 192)), optics=OPTICS)
    rows, columns = (160 - PATCH) // STRIDE + 1, (192 - PATCH) // STRIDE + 1
    assert len(estimate.patches) == rows * columns
    assert len(estimate.chosen_patches) == 8
    assert all(patch.defocus_um is None for patch in estimate.patches if not patch.chosen)


def test_only_the_chosen_patches_are_read_in_full_and_in_one_batch(tmp_path: Path) -> None:
    package = open_package(tiny_file(tmp_path))
    watched = Watched(OnnxEngine(package))
    frame = np.full((160, 192, 3), 255, np.uint8)  # white: of no importance
    frame[32:64, 64:96] = (153, 0, 0)
    estimate = ModelPredictor(package, watched).estimate(frame, optics=OPTICS)
    (chosen,) = estimate.chosen_patches
    assert (chosen.y, chosen.x) == (32, 64)
    assert [batch.shape for batch in watched.batches] == [(1, 3, PATCH, PATCH)]
    assert watched.batches[0][0, 0] == pytest.approx(np.full((PATCH, PATCH), 0.6))
    assert [overview.shape for overview in watched.overviews] == [(1, 3, 20, 24)]


def test_an_empty_frame_has_no_content(predictor: ModelPredictor) -> None:
    estimate = predictor.estimate(np.full((160, 192, 3), 255, np.uint8), optics=OPTICS)
    assert estimate.verdict == "no_content"
    assert estimate.chosen_patches == ()


def test_a_region_keeps_everything_else_out(predictor: ModelPredictor) -> None:
    frame = flat_frame(0.6)
    frame[:, 96:, 0] = round(255 * 0.8)
    region = np.zeros(frame.shape[:2], bool)
    region[:, 104:] = True  # patches at 96, wholly on the right, have three quarters inside
    estimate = predictor.estimate(frame, optics=OPTICS, region=region)
    assert estimate.defocus_um == pytest.approx(6.0, abs=0.02)
    assert min(patch.x for patch in estimate.patches) == 96


def test_a_region_without_a_patch_has_no_content(predictor: ModelPredictor) -> None:
    estimate = predictor.estimate(flat_frame(), optics=OPTICS, region=np.zeros((160, 192), bool))
    assert (estimate.verdict, estimate.patches) == ("no_content", ())


def test_a_region_of_another_frame_is_refused(predictor: ModelPredictor) -> None:
    with pytest.raises(InputError, match="not of"):
        predictor.estimate(flat_frame(), optics=OPTICS, region=np.ones((16, 16), bool))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((16, 200, 3), np.uint8), "16 x 200 px is too small .* patches of 32 px"),
        (np.zeros((0, 200, 3), np.uint8), "is empty"),
        (np.zeros(100, np.uint8), r"array of shape \(100,\)"),
        (np.zeros((5, 160, 192, 3), np.uint8), r"array of shape \(5, 160, 192, 3\)"),
        (np.zeros((160, 192, 2), np.uint8), r"array of shape \(160, 192, 2\)"),
        (np.zeros((160, 192, 3), np.int32), "type int32; convert it to uint8"),
        (np.zeros((160, 192, 3), bool), "type bool"),
        (np.zeros((160, 192, 3), complex), "type complex128"),
        (np.full((160, 192, 3), np.nan, np.float32), "holds 92160 values that are NaN"),
        (np.full((160, 192, 3), np.inf), "NaN or infinite"),
        (np.full((160, 192, 3), 200.0), "found 200 to 200; divide it"),
        (np.full((160, 192, 3), -0.5), "found -0.5 to -0.5"),
    ],
)
def test_what_is_no_frame_is_refused_in_one_sentence(predictor: ModelPredictor, image: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        predictor.estimate(image, optics=OPTICS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("depth", "words"), [(8, "reaches 39321, more than a bit depth of 8"), (20, "1 to 16; found 20")]
)
def test_a_wrong_bit_depth_is_refused(predictor: ModelPredictor, depth: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        predictor.estimate(flat_frame(0.6).astype(np.uint16) * 257, optics=OPTICS, bit_depth=depth)


@pytest.mark.parametrize("view", [np.s_[::-1], np.s_[:, ::-1], np.s_[::2, ::2]])
def test_views_of_a_camera_buffer_are_read(predictor: ModelPredictor, view: Any) -> None:
    frame = flat_frame(0.6, (320, 384))[view]
    assert predictor.estimate(frame, optics=OPTICS).defocus_um == pytest.approx(2.0, abs=0.02)


def test_read_only_frames_and_alpha_channels_are_read(predictor: ModelPredictor) -> None:
    frame = np.dstack([flat_frame(0.6), np.full((160, 192), 255, np.uint8)])
    frame.setflags(write=False)
    assert predictor.estimate(frame, optics=OPTICS).defocus_um == pytest.approx(2.0, abs=0.02)


def test_unknown_optics_are_refused_unless_one_insists(predictor: ModelPredictor) -> None:
    with pytest.raises(InputError, match="The optics of the frame are unknown"):
        predictor.estimate(flat_frame())
    estimate = predictor.estimate(flat_frame(), insist=True)
    assert estimate.defocus_um == pytest.approx(2.0, abs=0.02)
    assert len(estimate.warnings) == 1
    assert "unknown" in estimate.warnings[0]


def test_insisting_warns_of_every_difference(predictor: ModelPredictor) -> None:
    other = ImageOptics(Objective.parse("10x/0.3", pixel_size_um=0.65))
    warnings = predictor.estimate(flat_frame(), optics=other, insist=True).warnings
    assert [word in " ".join(warnings) for word in ("magnification", "NA", "pixel size")] == [True] * 3


def test_a_grey_frame_stands_for_all_colours_where_one_insists(predictor: ModelPredictor) -> None:
    grey = np.full((160, 192), 102, np.uint8)
    with pytest.raises(InputError, match="This is a grey image; the model was made for an RGB image"):
        predictor.estimate(grey, optics=OPTICS)
    estimate = predictor.estimate(grey, optics=OPTICS, insist=True)
    assert estimate.defocus_um == pytest.approx(-2.0, abs=0.02)
    assert estimate.warnings == ("This is a grey image; the model was made for an RGB image.",)


def test_a_model_for_grey_images_takes_luminance_where_one_insists(tmp_path: Path) -> None:
    predictor = load_model(tiny_file(tmp_path, colour="mono"))
    grey = predictor.estimate(np.full((160, 192), 102, np.uint8), optics=OPTICS)
    colour = predictor.estimate(np.full((160, 192, 3), 102, np.uint8), optics=OPTICS, insist=True)
    assert grey.defocus_um == pytest.approx(-2.0, abs=0.02)
    assert colour.defocus_um == pytest.approx(-2.0, abs=0.05)
    assert (grey.warnings, len(colour.warnings)) == ((), 1)


def test_all_patches_can_be_read_to_compare_with(predictor: ModelPredictor) -> None:
    frame = np.full((160, 192, 3), 255, np.uint8)
    frame[..., 0] = 153
    estimate = predictor.variant(choose=every_patch).estimate(frame, optics=OPTICS)
    assert len(estimate.chosen_patches) == (160 // PATCH) * (192 // PATCH)
    covered = np.zeros((160, 192), int)
    for patch in estimate.chosen_patches:
        covered[patch.y : patch.y + PATCH, patch.x : patch.x + PATCH] += 1
    assert covered.max() == covered.min() == 1


def test_many_patches_come_in_the_order_they_were_chosen(predictor: ModelPredictor) -> None:
    """More than one batch: each patch keeps its own answer."""
    frame = np.zeros((16 * PATCH, 20 * PATCH, 3), np.uint8)
    frame[..., 0] = np.linspace(60, 200, frame.shape[1]).astype(np.uint8)
    estimate = predictor.variant(choose=every_patch).estimate(frame, optics=OPTICS)
    assert len(estimate.chosen_patches) == 320
    for patch in estimate.chosen_patches:
        red = frame[patch.y : patch.y + PATCH, patch.x : patch.x + PATCH, 0].mean() / 255
        assert patch.defocus_um == pytest.approx(20 * (red - 0.5), abs=0.02)


def test_two_threads_get_their_own_answers(predictor: ModelPredictor) -> None:
    frames = [flat_frame(0.3 + 0.02 * index) for index in range(20)]
    expected = [predictor.estimate(frame, optics=OPTICS).defocus_um for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda frame: predictor.estimate(frame, optics=OPTICS).defocus_um, frames))
    assert found == expected


def test_a_frame_is_never_changed(predictor: ModelPredictor) -> None:
    frame = flat_frame()
    before = frame.copy()
    predictor.estimate(frame, optics=OPTICS)
    assert np.array_equal(frame, before)


def test_provider_and_device_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name one of the two"):
        load_model(tiny_file(tmp_path), providers=["CPUExecutionProvider"], device="cpu")


def test_a_provider_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"onnxruntime has no MagicProvider here; it has .*CPUExecutionProvider"):
        load_model(tiny_file(tmp_path), providers=["MagicProvider"])


def test_load_model_is_there_at_once_and_heavy_libraries_only_later(tmp_path: Path) -> None:
    script = (
        "import sys, napari_autofocus as n; heavy = ('torch', 'onnxruntime', 'numpy', 'cv2')\n"
        "print([m for m in heavy if m in sys.modules]); n.load_model(sys.argv[1]); print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tiny_file(tmp_path))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.split("\n")[:2] == ["[]", "False"]
    assert napari_autofocus.load_model is load_model


def test_the_package_has_no_other_surprises() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_modle'"):
        _ = napari_autofocus.load_modle


def test_the_sparing_model_reads_the_most_important_patches_with_the_same_settings(predictor: ModelPredictor) -> None:
    strict = predictor.variant(choose=every_patch, decision=DecisionSettings(dof_um=1.0, range_um=1.0))
    frame = flat_frame(0.6)
    asked, spared = (model.estimate(frame, optics=OPTICS) for model in (strict, strict.sparing()))
    assert spared.verdict == asked.verdict == "out_of_range"
    assert len(spared.chosen_patches) == min(len(asked.chosen_patches), MOST_BESIDE_LIVE)
    assert set(spared.chosen_patches) <= set(asked.chosen_patches)
