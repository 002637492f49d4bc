"""The sign of a defocus on drives of both directions, and what an estimate tells a file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_fields import judged, patches_of

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import (
    Calibration,
    DecisionSettings,
    FocusEstimate,
    PatchPrediction,
    defocus_um,
    refocus_z_um,
)

positions = st.floats(-5000, 5000)
directions = st.sampled_from([-1, 1])


@pytest.mark.parametrize(
    ("z_um", "direction", "defocus"),
    [(103.0, 1, 3.0), (97.0, 1, -3.0), (103.0, -1, -3.0), (97.0, -1, 3.0)],
)
def test_positive_means_too_close_whichever_way_the_drive_counts(z_um: float, direction: int, defocus: float) -> None:
    """Best focus at 100 µm. At +1 a larger z is closer; at -1 a smaller one is."""
    assert defocus_um(z_um, 100.0, direction) == defocus


@pytest.mark.parametrize(("direction", "target"), [(1, 47.0), (-1, 53.0)])
def test_sample_too_close_is_moved_apart(direction: int, target: float) -> None:
    assert refocus_z_um(50.0, 3.0, direction) == target


@given(positions, positions, directions)
def test_refocusing_by_the_defocus_reaches_best_focus(z_um: float, best_z_um: float, direction: int) -> None:
    found = refocus_z_um(z_um, defocus_um(z_um, best_z_um, direction), direction)
    assert found == pytest.approx(best_z_um, abs=1e-6)


@pytest.mark.parametrize("direction", [0, 2, -3])
def test_unknown_direction_moves_nothing(direction: int) -> None:
    with pytest.raises(InputError, match=rf"is \+1 or -1; found {direction}"):
        refocus_z_um(0.0, 1.0, direction)
    with pytest.raises(InputError, match=r"is \+1 or -1"):
        defocus_um(0.0, 1.0, direction)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_number_that_is_not_finite_moves_nothing(bad: float) -> None:
    for z_um, defocus in ((bad, 1.0), (1.0, bad)):
        with pytest.raises(InputError, match="must be a finite number"):
            refocus_z_um(z_um, defocus, 1)
    with pytest.raises(InputError, match="position of best focus"):
        defocus_um(0.0, bad, 1)


@pytest.mark.parametrize(
    ("verdict", "trusted"),
    [("flat", True), ("tilted", True), ("uneven", False), ("unsure", False), ("out_of_range", False)],
)
def test_only_flat_and_tilted_fields_are_trusted_with_a_move(verdict: Any, trusted: bool) -> None:
    assert FocusEstimate(verdict, 1.0).trusted is trusted


SHELL_KEYS = {"defocus_um", "uncertainty_um", "direction_probability", "verdict", "reasons", "patches"}
OTHER_KEYS = {
    "tilt",
    "spread_um",
    "interval90_um",
    "tilt_um_per_mm",
    "warnings",
    "model",
    "seconds",
    "scan_um",
    "trusted",
}
PATCH_KEYS = {"y", "x", "size", "importance", "chosen", "defocus_um", "uncertainty_um"}


def test_json_has_the_keys_of_the_shell() -> None:
    told = judged(patches_of([3.0] * 4), model="m", warnings=("careful",), seconds=0.5).to_json()
    assert set(told) == SHELL_KEYS | OTHER_KEYS
    assert set(told["patches"][0]) == PATCH_KEYS | {"positive_probability"}
    assert (told["verdict"], told["defocus_um"], told["warnings"], told["trusted"]) == ("flat", 3.0, ["careful"], True)
    assert told["patches"][0]["defocus_um"] == 3.0


def test_json_never_holds_what_json_lacks() -> None:
    patch = PatchPrediction(0, 0, 128, float("nan"), True, float("nan"), float("inf"), np.float32("nan"))
    estimate = FocusEstimate("unsure", float("nan"), np.float64(2), (-float("inf"), 1.0), patches=(patch,))
    told = json.loads(json.dumps(estimate.to_json(), allow_nan=False))
    assert (told["defocus_um"], told["uncertainty_um"], told["interval90_um"]) == (None, 2.0, [None, 1.0])
    assert told["patches"][0] == {
        **{"y": 0, "x": 0, "size": 128, "importance": None, "chosen": True},
        **{"defocus_um": None, "uncertainty_um": None, "positive_probability": None},
    }


@pytest.mark.parametrize("values", [[3.0] * 4, [11.0] * 4, [2.0, 4.0, 8.0], [float("nan")] * 2, []])
def test_every_verdict_goes_through_json_unchanged(values: list[float]) -> None:
    told = judged(patches_of(values, positive=0.99)).to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told


SETTINGS = DecisionSettings(1.0, 10.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dof_um": 0.0}, "dof_um must be a positive number; found 0.0"),
        ({"range_um": float("nan")}, "range_um must be"),
        ({"largest_sigma_dof": -1.0}, "largest_sigma_dof must be"),
        ({"pooling": "mode"}, "Unknown pooling 'mode'; use one of median, mean"),
        ({"least_direction": 1.0}, "least_direction lies between"),
        ({"least_plane_patches": 3}, "takes four patches; found 3"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(SETTINGS, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shared": 1.1}, "shared must lie between 0 and 1; found 1.1"),
        ({"direction_offset": 0.1}, "direction_offset must lie between -inf and 0"),
        ({"interval90": float("nan")}, "interval90 must lie"),
        ({"patch_scale": -1.0}, "patch_scale must lie"),
        ({"floor_um": 0.0, "patch_scale": 0.0}, "would claim errors of zero"),
    ],
)
def test_impossible_calibration_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Calibration(**change)
