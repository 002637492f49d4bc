"""What acquisitions plan: absolute planes made relative, and where the focus of each event is meant to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from useq import AxesBasedAF, MDASequence, Position

from napari_autofocus.errors import InputError
from napari_autofocus.workflows.mda import read_sequence, relative_to_focus
from napari_autofocus.workflows.mda.sequences import (
    afresh,
    beside_focus_um,
    has_absolute_planes,
    has_autofocus,
    is_autofocus,
    planned_focus_um,
    with_autofocus,
)

AF = AxesBasedAF(axes=("p",))


def test_absolute_planes_become_relative_to_the_focus_of_each_position() -> None:
    plan = MDASequence(z_plan={"top": 12, "bottom": 8, "step": 2}, stage_positions=[(0, 0), (1, 1, 30)])
    assert has_absolute_planes(plan)

    relative = relative_to_focus(plan)

    assert list(relative.z_plan or ()) == [-2, 0, 2]
    assert [position.z for position in relative.stage_positions] == [10, 30]
    assert relative.autofocus_plan == AxesBasedAF(axes=("p",))
    assert not has_absolute_planes(relative)


def test_what_useq_refuses_is_converted_from_its_values() -> None:
    values = {"z_plan": {"top": 12, "bottom": 8, "step": 2}, "autofocus_plan": {"axes": ("t",)}}
    with pytest.raises(ValueError, match="Absolute"):
        MDASequence(**values)

    relative = relative_to_focus(values)

    assert relative.autofocus_plan is not None
    assert relative.autofocus_plan.axes == ("t",)
    assert relative.stage_positions[0].z == 10


def test_relative_planes_stay_as_they_are() -> None:
    plan = MDASequence(z_plan={"range": 4, "step": 2}, stage_positions=[(0, 0, 5)])

    assert list(relative_to_focus(plan).z_plan or ()) == [-2, 0, 2]
    with pytest.raises(InputError, match="no acquisition"):
        relative_to_focus({"z_plan": "high"})


def test_a_stack_of_a_position_of_its_own_lies_around_that_position() -> None:
    """useq puts the autofocus of such a stack at its first plane."""
    own = MDASequence(z_plan={"range": 2, "step": 1})
    plan = MDASequence(stage_positions=[Position(x=0, y=0, z=3, sequence=own)], autofocus_plan=AF)
    events = list(plan)

    assert [is_autofocus(event) for event in events] == [True, False, False, False]
    assert planned_focus_um(events[0]) == 3
    assert [beside_focus_um(event) for event in events[1:]] == [-1, 0, 1]


def test_autofocus_is_put_before_what_changes() -> None:
    plan = MDASequence(stage_positions=[(0, 0, 1), (1, 1, 2)], z_plan={"range": 2, "step": 1})
    assert not has_autofocus(plan)

    assert [is_autofocus(event) for event in with_autofocus(plan, ("p",))] == [True, False, False, False] * 2


def test_a_plan_afresh_fires_at_its_first_event_again() -> None:
    own = MDASequence(autofocus_plan=AF)
    plan = MDASequence(stage_positions=[Position(x=0, y=0, z=3, sequence=own)], z_plan={"range": 2, "step": 1})

    for _ in range(2):
        assert [is_autofocus(event) for event in afresh(plan)].count(True) == 1
    assert all(event.sequence is plan for event in afresh(plan))


def test_a_file_is_read_or_refused_in_one_sentence(tmp_path: Path) -> None:
    good, absolute, bad = (tmp_path / f"{name}.yaml" for name in ("good", "absolute", "bad"))
    good.write_text("z_plan: {range: 4, step: 2}\nautofocus_plan: {axes: [p]}\n")
    absolute.write_text("z_plan: {top: 4, bottom: 2, step: 2}\nautofocus_plan: {axes: [p]}\n")
    bad.write_text("z_plan: [")

    assert read_sequence(good).autofocus_plan == AxesBasedAF(axes=("p",))
    with pytest.raises(InputError, match="relative_to_focus"):
        read_sequence(absolute)
    for path in (bad, tmp_path / "missing.yaml"):
        with pytest.raises(InputError, match=path.name):
            read_sequence(path)
