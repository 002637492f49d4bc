from __future__ import annotations

import math

import numpy as np
import pytest

from napari_autofocus.errors import MoveRefused
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.records import SweepRecord
from napari_autofocus.widgets.refocus.undoing import Place, UndoStack, go_back


def record(start_um: float, end_um: float) -> SweepRecord:
    return SweepRecord("brent", "focused", start_um, end_um, None, None, "peak", (), 5, 3, 1.0)


def frame(x_um: float = 0.0, y_um: float = 0.0) -> Frame:
    return Frame(np.zeros((4, 4), np.uint8), 0.0, x_um, y_um, 10.0, 0.0)


def walked(rig: SimulatedRig, place: Place) -> float:
    with pytest.raises(StopIteration) as stop:
        next(go_back(rig.microscope, place))
    return float(stop.value.value)


def test_the_newest_place_comes_first() -> None:
    stack = UndoStack()
    stack.remember(record(1.0, 5.0), frame())
    stack.remember(record(5.0, 9.0), frame())
    assert stack.newest() == Place(5.0, 0.0, 0.0)
    stack.drop()
    assert stack.newest() == Place(1.0, 0.0, 0.0)


def test_a_run_that_did_not_move_leaves_nothing_to_undo() -> None:
    stack = UndoStack()
    stack.remember(record(1.0, 1.01), frame())
    assert stack.newest() is None


def test_only_so_many_places_are_kept() -> None:
    stack = UndoStack()
    for z_um in range(50):
        stack.remember(record(z_um, z_um + 1), frame())
    assert len(stack) == 20
    assert stack.newest() == Place(49.0, 0.0, 0.0)


def test_a_place_holds_for_its_field_only() -> None:
    stack = UndoStack()
    stack.remember(record(1.0, 5.0), frame(100.0, 0.0))
    assert not stack.is_of_another_field(frame(101.0, 0.0))
    assert stack.is_of_another_field(frame(200.0, 0.0))


def test_without_an_xy_stage_every_frame_is_of_the_same_field() -> None:
    stack = UndoStack()
    stack.remember(record(1.0, 5.0), frame(math.nan, math.nan))
    assert not stack.is_of_another_field(frame(math.nan, math.nan))


def test_the_way_back_is_walked(rig: SimulatedRig) -> None:
    rig.microscope.focus.move_to(8.0)
    assert walked(rig, Place(3.0, 0.0, 0.0)) == pytest.approx(3.0, abs=0.05)


def test_nothing_moves_back_once_the_slide_shows_another_field(rig: SimulatedRig) -> None:
    rig.microscope.focus.move_to(8.0)
    rig.microscope.move_xy_to(300.0, 0.0)
    with pytest.raises(MoveRefused, match="another field"):
        next(go_back(rig.microscope, Place(3.0, 0.0, 0.0)))
    assert rig.core.getPosition("Z") == pytest.approx(8.0, abs=0.05)
