"""Objectives: spelling, depth of field, resolution and sampling."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_autofocus.errors import InputError
from napari_autofocus.optics import IMMERSION_INDEX, PRESETS, Objective


@pytest.mark.parametrize(("name", "dof_um"), [("20x/0.75", 1.0), ("10x/0.3", 10.0)])
def test_depth_of_field_of_the_papers_is_kept(name: str, dof_um: float) -> None:
    assert Objective.parse(name).dof_um == dof_um
    assert Objective.parse(name, pixel_size_um=0.5).dof_um == dof_um


def test_depth_of_field_is_computed_where_none_is_stated() -> None:
    dry = Objective(40, 0.95, camera_pixel_um=6.5)
    assert dry.dof_um == pytest.approx(0.55 / 0.9025 + 6.5 / (40 * 0.95))  # 0.609 + 0.171
    oil = Objective(100, 1.4, "oil", camera_pixel_um=6.5)
    assert oil.dof_um == pytest.approx(0.55 * 1.515 / 1.96 + 1.515 * 6.5 / 140)
    assert oil.computed_dof_um(0.65) - oil.computed_dof_um(0.55) == pytest.approx(0.1 * 1.515 / 1.96)


def test_stated_depth_of_field_beats_the_computed_one() -> None:
    objective = Objective(20, 0.75, stated_dof_um=1.0)
    assert objective.dof_um == 1.0
    assert objective.computed_dof_um() == pytest.approx(0.55 / 0.5625 + 6.5 / 15)


def test_resolution_and_sampling_of_a_20x() -> None:
    objective = Objective.parse("20x/0.75")
    assert objective.pixel_size_um == pytest.approx(0.325)
    assert objective.airy_radius_um() == pytest.approx(0.61 * 0.55 / 0.75)
    assert objective.nyquist_pixel_um() == pytest.approx(0.55 / 3)


def test_pixel_size_can_be_set() -> None:
    objective = Objective.parse("40x/0.95", pixel_size_um=0.25)
    assert objective.pixel_size_um == pytest.approx(0.25)
    assert objective.camera_pixel_um == pytest.approx(10)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_found_by_its_name(name: str) -> None:
    assert Objective.parse(name) is PRESETS[name]


def test_presets_reach_from_low_power_to_oil() -> None:
    assert {"4x/0.13", "20x/0.75", "100x/1.4 oil"} <= set(PRESETS)
    assert all(0.1 < preset.dof_um < 60 for preset in PRESETS.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20X/0.75", PRESETS["20x/0.75"]),
        (" 100 x / 1.4oil ", PRESETS["100x/1.4 oil"]),
        ("100x/1.4", PRESETS["100x/1.4 oil"]),
        ("20x/0.75 air", PRESETS["20x/0.75"]),
        ("25x/1.05 water", Objective(25, 1.05, "water")),
        ("2.5x/0.075", Objective(2.5, 0.075)),
        ("20x/0.75 oil", Objective(20, 0.75, "oil")),
    ],
)
def test_objective_is_read_as_people_write_it(text: str, expected: Objective) -> None:
    assert Objective.parse(text) == expected


@given(st.integers(1, 1500), st.integers(1, 99), st.sampled_from(sorted(IMMERSION_INDEX)))
def test_name_is_read_back(tenths: int, hundredths: int, immersion: str) -> None:
    objective = Objective(tenths / 10, hundredths / 100, immersion)
    back = Objective.parse(f"{objective.name} {immersion}" if immersion == "air" else objective.name)
    assert (back.magnification, back.na, back.immersion) == (tenths / 10, hundredths / 100, immersion)


@given(st.floats(0.05, 1.4), st.floats(1, 100), st.floats(0.5, 20))
def test_depth_of_field_falls_with_aperture(na: float, magnification: float, camera_pixel_um: float) -> None:
    wide = Objective(magnification, na, "oil", camera_pixel_um)
    narrow = dataclasses.replace(wide, na=na * 0.9)
    assert 0 < wide.dof_um < narrow.dof_um
    assert wide.airy_radius_um() < narrow.airy_radius_um()


@pytest.mark.parametrize("text", ["", "20x", "20/0.75", "x/0.75", "20x/NA0.75", "20x/0.75 oil lens", "-20x/0.75"])
def test_unreadable_objective_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"write it as 20x/0\.75"):
        Objective.parse(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"magnification": 0}, "magnification of an objective must be a positive number; found 0"),
        ({"na": -0.5}, "NA of an objective"),
        ({"na": float("nan")}, "NA of an objective must be a positive number; found nan"),
        ({"camera_pixel_um": float("inf")}, "camera pixel"),
        ({"stated_dof_um": 0.0}, "depth of field"),
        ({"na": 1.2}, "NA 1.2 is impossible in air .* name the immersion"),
        ({"na": 1.4, "immersion": "water"}, "impossible in water"),
        ({"immersion": "honey"}, "Unknown immersion 'honey'; use one of air, water"),
    ],
)
def test_impossible_objective_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(Objective(20, 0.75), **changes)
