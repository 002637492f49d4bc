"""Estimates of many frames, in words and in rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_estimates import MadePredictor, empty_estimate, made_estimate
from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, Verdict
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.estimates import (
    COLUMNS,
    VERDICT_WORDS,
    EstimateSettings,
    FrameEstimated,
    FrameFailed,
    estimate_frame,
    estimate_frames,
    percent,
    rows_of,
    state_words,
    value_words,
)

SHAPE = (96, 128)


def test_frames_are_told_one_by_one_with_their_number(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)).save(tmp_path / "a.png")
    settings = EstimateSettings(Objective.parse("20x/0.75"), 0.325)
    work = estimate_frames([tmp_path / "missing.png", tmp_path / "a.png"], MadePredictor(), settings)
    bad, good = next(work), next(work)
    assert isinstance(bad, FrameFailed)
    assert isinstance(good, FrameEstimated)
    assert (good.index, good.frames, good.estimate.defocus_um) == (2, 2, 3.42)
    assert good.frame.objective is not None
    with pytest.raises(StopIteration) as stopped:
        next(work)
    assert stopped.value.value.failed == (bad,)


@pytest.mark.parametrize(
    ("defocus_um", "words"),
    [
        (3.42, "+3.42 ± 0.10 µm (90 %: +3.26 to +3.58) too close"),
        (-3.42, "-3.42 ± 0.10 µm (90 %: -3.58 to -3.26) too far apart"),
        (0.5, "+0.50 ± 0.10 µm (90 %: +0.34 to +0.66) in focus"),
        (-0.51, "-0.51 ± 0.10 µm (90 %: -0.67 to -0.35) too far apart"),
    ],
)
def test_the_side_is_named_outside_half_the_depth_of_field(defocus_um: float, words: str) -> None:
    assert value_words(made_estimate(SHAPE, defocus_um), dof_um=1.0) == words


@pytest.mark.parametrize("verdict", ["unsure", "out_of_range"])
def test_a_number_for_display_only_is_called_a_guess(verdict: Verdict) -> None:
    assert value_words(replace(made_estimate(SHAPE), verdict=verdict), 1.0).startswith("best guess +3.42")


def test_an_empty_field_has_neither_defocus_nor_direction() -> None:
    estimate = empty_estimate(SHAPE)
    assert value_words(estimate, 1.0) == "no defocus"
    assert state_words(estimate) == "no content · 0 of 35 patches"


@pytest.mark.parametrize(
    ("share", "words"), [(0.5, "50 %"), (0.987, "98.7 %"), (0.9994, "99.9 %"), (0.99999, "> 99.9 %"), (1, "> 99.9 %")]
)
def test_no_probability_is_rounded_up_to_certainty(share: float, words: str) -> None:
    assert percent(share) == words


def test_every_verdict_has_its_words() -> None:
    assert set(VERDICT_WORDS) == set(Verdict.__args__)  # type: ignore[attr-defined]


def test_rows_keep_to_the_columns_and_leave_empty_what_is_not_known() -> None:
    frame, *patches = rows_of("a.png", empty_estimate(SHAPE))
    assert set(frame) == set(patches[0]) == set(COLUMNS)
    assert (frame["scope"], frame["defocus_um"], frame["low90_um"]) == ("frame", None, None)
    assert (patches[0]["chosen"], patches[0]["defocus_um"], patches[0]["path"]) == (False, None, "a.png")


def test_a_camera_of_12_bits_in_a_16_bit_file_counts_by_its_own_full_scale(tmp_path: Path) -> None:
    seen: list[np.ndarray] = []

    class Watching(MadePredictor):
        def estimate(self, image: np.ndarray, **others: object) -> FocusEstimate:  # type: ignore[override]
            seen.append(image)
            return made_estimate(SHAPE)

    Image.fromarray(np.full(SHAPE, 4095, np.uint16)).save(tmp_path / "a.png")
    known = EstimateSettings(Objective.parse("20x/0.75"), 0.325)
    estimate_frame(tmp_path / "a.png", Watching(), replace(known, bit_depth=12))
    assert (float(seen[0].min()), float(seen[0].max())) == (1.0, 1.0)
    with pytest.raises(InputError, match="reaches 4095; a bit depth of 10 is for whole numbers up to 1023"):
        estimate_frame(tmp_path / "a.png", Watching(), replace(known, bit_depth=10))
