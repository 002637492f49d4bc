"""The slope of the sample over a field: found with an honest error, told in words, and the mean of many fields."""

from __future__ import annotations

import json

import numpy as np
import pytest
from judged_fields import FIELD, PIXEL_UM, SETTINGS, patches_of, places

from napari_autofocus.focus.deciding.decision import decide
from napari_autofocus.focus.deciding.field_tilt import FieldTilt, mean_tilt
from napari_autofocus.focus.estimate import FocusEstimate

CORNERS = places(40, 3)
WIDTH_UM = FIELD[1] * PIXEL_UM


def estimate(x_um_per_mm: float, y_um_per_mm: float = 0.0, *, noise_um: float = 0.1, seed: int = 0) -> FocusEstimate:
    """A frame, 3 µm too close, of a sample with this slope."""
    place = np.array([(x + 32, y + 32) for y, x in CORNERS]) * PIXEL_UM / 1000
    defocus = 3 + place @ (x_um_per_mm, y_um_per_mm) + np.random.default_rng(seed).normal(0, noise_um, len(CORNERS))
    patches = patches_of(defocus, sigma_um=0.1, corners=CORNERS)
    return decide(patches, SETTINGS, field_shape=FIELD, pixel_size_um=PIXEL_UM)


def tilt(x: float = 4.5, y: float = 0.0, error: float = 0.2, **more: float) -> FieldTilt:
    return FieldTilt(x, y, error, error, 400.0, 300.0, **more)  # type: ignore[arg-type]


def test_the_slope_is_found_within_its_error() -> None:
    off = []
    for seed in range(30):
        found = estimate(2.0, -1.0, seed=seed).tilt
        assert found is not None
        off += [(found.x_um_per_mm - 2.0) / found.x_error, (found.y_um_per_mm + 1.0) / found.y_error]
    assert 0.6 < np.std(off) < 1.5
    assert abs(np.mean(off)) < 0.5


def test_a_level_field_has_no_tilt_to_speak_of() -> None:
    told = [estimate(0.0, seed=seed).tilt for seed in range(40)]
    assert sum(found is not None and found.is_significant for found in told) <= 1


def test_a_tilt_below_the_depth_of_field_is_known_too() -> None:
    found = estimate(1.5)
    assert found.verdict == "flat"
    assert found.tilt is not None
    assert found.tilt_um_per_mm is None
    assert found.tilt.is_significant


def test_without_the_size_of_a_pixel_nothing_is_told() -> None:
    patches = patches_of(np.full(40, 3.0), sigma_um=0.1, corners=CORNERS)
    assert decide(patches, SETTINGS, field_shape=FIELD, pixel_size_um=None).tilt is None


def test_json_knows_the_tilt() -> None:
    told = json.loads(json.dumps(estimate(4.0).to_json()))["tilt"]
    assert told["side"] == "to the right"
    assert told["across_um"] == pytest.approx(4.0 * WIDTH_UM / 1000, abs=0.5)


@pytest.mark.parametrize(
    ("x", "y", "side"),
    [
        (4.5, 0.0, "to the right"),
        (-4.5, 0.1, "to the left"),
        (0.0, 4.5, "downwards"),
        (0.1, -4.5, "upwards"),
        (3.0, 3.0, "to the lower right"),
        (-3.0, -3.0, "to the upper left"),
    ],
)
def test_the_words_say_where_it_rises(x: float, y: float, side: str) -> None:
    words = tilt(x, y).sentence(1.0)
    assert f" {side} across the field" in words
    assert words.endswith("level the insert.")


def test_the_words_have_the_numbers() -> None:
    assert tilt(4.5).sentence(1.0).startswith("The sample rises 1.8 µm to the right across the field: 4.5 µm/mm;")
    assert "nothing needs to be done" in tilt(0.9).sentence(1.0)
    assert tilt(0.3).sentence(1.0) == ""


def test_the_tilt_of_the_stage_is_what_fields_have_in_common() -> None:
    rng = np.random.default_rng(1)
    seen = [tilt(2.0 + rng.normal(0, 0.3), -1.0 + rng.normal(0, 0.3), 0.3) for _ in range(12)]
    common = mean_tilt(seen)
    assert common is not None
    assert common.fields == 12
    assert common.x_um_per_mm == pytest.approx(2.0, abs=3 * common.x_error)
    assert common.x_error < 0.15
    assert "seen in 12 fields" in common.sentence(1.0)


def test_fields_that_slope_each_its_own_way_have_none_in_common() -> None:
    ways = np.linspace(0, 2 * np.pi, 9)[:-1]
    assert mean_tilt([tilt(5 * np.cos(way), 5 * np.sin(way)) for way in ways]) is None
    assert mean_tilt([tilt(), tilt()]) is None


def test_one_wild_field_among_many_makes_the_error_larger() -> None:
    alike = mean_tilt([tilt(2.0)] * 6)
    wild = mean_tilt([tilt(2.0)] * 6 + [tilt(9.0)])
    assert alike is not None
    assert wild is None or wild.x_error > 3 * alike.x_error
