"""A labelling desk that is closed in the middle of something leaves no thread behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from pytestqt.qtbot import QtBot

from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.widgets.label import desk as desk_module
from napari_autofocus.widgets.label.desk import AtDesk
from napari_autofocus.widgets.worker import Worker
from napari_autofocus.workflows.batch import LabelSettings

NAMES = ("test desk", "test measuring", "napari-autofocus reading")
PATIENT_S = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(2):
        tifffile.imwrite(tmp_path / f"s{number}.tif", np.zeros((5, 64, 64), np.uint8), metadata={"axes": "ZYX"})
    return tmp_path


@pytest.fixture
def at(qtbot: QtBot) -> Iterator[AtDesk]:
    made = AtDesk(Worker("test desk"), Worker("test measuring"))
    yield made
    made.close()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(NAMES)]


def test_a_folder_that_comes_open_after_the_desk_was_closed_is_put_away(at: AtDesk, folder: Path, qtbot: QtBot) -> None:
    at.open(folder, "me", LabelSettings(step_um=1.0))
    assert at._worker.join(PATIENT_S)  # it is open, and the desk has not heard of it yet

    at.close()
    qtbot.wait(50)

    assert at.desk is None
    assert threads() == []


def test_closing_while_a_stack_is_read_waits_for_the_reader(
    at: AtDesk, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = threading.Event(), threading.Event()
    open_stack: Callable[..., ZStack] = desk_module._open

    def slowly(*given: Any) -> ZStack:
        reading.set()
        go_on.wait(PATIENT_S)
        return open_stack(*given)

    monkeypatch.setattr(desk_module, "_open", slowly)
    at.open(folder, "me", LabelSettings(step_um=1.0))
    qtbot.waitUntil(reading.is_set, timeout=30_000)
    came: list[object] = []
    at.came.connect(came.append)
    threading.Timer(0.2, go_on.set).start()

    at.close()

    assert go_on.is_set()
    assert threads() == []
    qtbot.wait(50)
    assert came == []
