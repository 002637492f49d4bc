"""A tour waits for what happens, not for a time; what never comes, or fails, ends it with a sentence."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QTimer

from napari_autofocus.errors import HardwareError, InputError, RoutineTimeout
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.widgets.focus_state import Estimated, Seen
from napari_autofocus.widgets.parts.waiting import Waiting
from napari_autofocus.widgets.session import Session


def later(act: object) -> None:
    QTimer.singleShot(20, act)


def estimated(at_s: float) -> Estimated:
    return Estimated(Seen(np.zeros((8, 8)), "Camera", at_s=at_s), SimpleNamespace())


def test_what_is_fulfilled_later_is_waited_for(session: Session, qtbot: QtBot) -> None:
    done: list[bool] = []
    seen: list[bool] = []
    waiting = Waiting(session, 30)
    waiting.meanwhile = lambda: seen.append(True)
    later(lambda: done.append(True))
    waiting.until("it", lambda: bool(done))
    assert seen


def test_what_never_comes_is_named(session: Session, qtbot: QtBot) -> None:
    with pytest.raises(RoutineTimeout, match="waited in vain for the moon"):
        Waiting(session, 0.05).until("the moon", lambda: False)


def test_what_fails_meanwhile_ends_the_waiting(session: Session, qtbot: QtBot) -> None:
    waiting = Waiting(session, 30)
    later(lambda: session.failed.emit(HardwareError("The stage is gone.")))
    with pytest.raises(HardwareError, match="The stage is gone"):
        waiting.until("it", lambda: False)


def test_only_an_estimate_of_a_newer_frame_is_an_answer(session: Session, qtbot: QtBot) -> None:
    waiting = Waiting(session, 30)
    old, new = time.monotonic() - 5, time.monotonic() + 5
    session.focus.tell(estimated(old))
    later(lambda: session.focus.tell(estimated(new)))
    waiting.for_answer()
    assert session.focus.newest.seen.at_s == new


def test_a_model_that_refuses_such_frames_has_answered(session: Session, qtbot: QtBot) -> None:
    waiting = Waiting(session, 30)
    later(lambda: session.focus.refused.emit(InputError("The optics are unknown.")))
    waiting.for_answer()
    session.focus.estimated.emit(estimated(0.0))
    short = Waiting(session, 0.05)
    with pytest.raises(RoutineTimeout, match="an estimate"):
        short.for_answer()


def test_new_frames_are_waited_for(connected: tuple[Session, SimulatedRig], qtbot: QtBot) -> None:
    session, _ = connected
    waiting = Waiting(session, 30)
    session.set_live(True)
    waiting.for_frames(3)
    assert session.view.frames_shown >= 3
    session.set_live(False)
    waiting.for_rest()
    assert not session.hardware.busy
