"""The labeller on stacks that nobody of this project made; skipped where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_autofocus.focus.zstack import StackFocus, judge_stack
from napari_autofocus.io import open_stack


def focus_of(path: Path, step_um: float | None = None) -> StackFocus:
    return judge_stack(open_stack(path, step_um=step_um))


def test_wafer_pads_are_sharp_where_the_instrument_focused(real_data: Path) -> None:
    found = focus_of(real_data / "wafer_reflected_light/level1/ix000_iy000")

    assert found.field.trusted
    assert found.field.best_z_um is not None
    assert 0 <= found.field.best_z_um <= 0.8


def test_wafer_debris_is_sharp_where_the_instrument_focused(real_data: Path) -> None:
    found = focus_of(real_data / "wafer_reflected_light/level2/ix000_iy000")

    assert found.field.best_z_um == pytest.approx(0, abs=0.5)


def test_field_of_specks_is_not_trusted_and_no_patch_misleads(real_data: Path) -> None:
    found = focus_of(real_data / "wafer_reflected_light/level2/ix000_iy001")

    assert not found.field.trusted
    assert all(abs(p.best_z_um or 0) <= 3 for p in found.trusted_patches)


def test_yeast_is_in_focus_between_its_two_false_peaks(real_data: Path) -> None:
    found = focus_of(real_data / "yeast/BF.tif", 0.3)

    assert found.field.verdict == "phase_minimum"
    assert found.field.best_z_um == pytest.approx(4.5, abs=0.3)


def test_hologram_is_in_focus_where_contrast_is_least(real_data: Path) -> None:
    found = focus_of(real_data / "holography_cell")

    assert found.field.verdict == "phase_minimum"
    assert found.field.best_z_um == pytest.approx(10, abs=5)


def test_stack_that_misses_focus_says_so(real_data: Path) -> None:
    found = focus_of(real_data / "brightfield_unstained")

    assert found.field.verdict == "peak_at_edge"
    assert not found.field.trusted


def test_mitochondria_are_found_between_planes(real_data: Path) -> None:
    assert focus_of(real_data / "mitochondria_lightsheet/stack").best_z_um == pytest.approx(0.05, abs=0.1)


def test_beads_are_found_between_planes(real_data: Path) -> None:
    assert focus_of(real_data / "beads/Bead_Image1_crop.tif", 0.125).best_z_um == pytest.approx(2.95, abs=0.1)
