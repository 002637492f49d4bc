from __future__ import annotations

from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_autofocus.widgets.stand.pads import XY_ARROWS, Z_ARROWS, Gathered, StepPad


def test_buttons_and_keys_ask_for_the_same_steps(qtbot: QtBot) -> None:
    for arrows in (Z_ARROWS, XY_ARROWS):
        pad = StepPad(arrows, "stage")
        qtbot.addWidget(pad)
        heard: list[tuple[float, float]] = []
        pad.stepped.connect(lambda *steps, heard=heard: heard.append(steps))
        for made in pad.buttons:
            made.click()
        for arrow in arrows:
            qtbot.keyClick(pad, arrow.key)
        assert heard == [tuple(map(float, arrow.steps)) for arrow in (*arrows, *arrows)]


def test_other_keys_are_left_to_napari(qtbot: QtBot) -> None:
    pad = StepPad(Z_ARROWS, "focus drive")
    qtbot.addWidget(pad)
    with qtbot.assertNotEmitted(pad.stepped):
        qtbot.keyClick(pad, Qt.Key.Key_A)


def test_steps_during_a_move_end_in_one_more_move() -> None:
    moves: list[tuple[float, float]] = []
    gathered = Gathered(lambda dx, dy: moves.append((dx, dy)))
    for _ in range(5):
        gathered.add(1.0, 0.5)
    assert moves == [(1.0, 0.5)]
    gathered.arrived()
    assert moves == [(1.0, 0.5), (4.0, 2.0)]
    gathered.arrived()
    assert len(moves) == 2


def test_waiting_steps_are_dropped_when_the_microscope_goes() -> None:
    moves: list[tuple[float, float]] = []
    gathered = Gathered(lambda dx, dy: moves.append((dx, dy)))
    gathered.add(1.0, 0.0)
    gathered.add(1.0, 0.0)
    gathered.forget()
    gathered.arrived()
    assert moves == [(1.0, 0.0)]
