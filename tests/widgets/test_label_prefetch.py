from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.widgets.label.prefetch import Prefetch
from stacks import blurred_stack

PATHS = [Path(f"s{number}") for number in range(5)]
STACK = blurred_stack(3.0, planes=9, shape=(64, 64))
BYTES = STACK.data.nbytes


def opened(path: Path) -> ZStack:
    if path.name == "bad":
        raise InputError("bad is damaged; copy it again.")
    return replace(STACK, data=STACK.data + np.uint8(len(path.name)), source=path.name)


Maker = Callable[..., Prefetch]


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Maker]:
    made: list[Prefetch] = []

    def maker(open_stack: Any = opened, **settings: Any) -> Prefetch:
        made.append(Prefetch(open_stack, lambda _: None, **settings))
        return made[-1]

    yield maker
    for each in made:
        assert each.close()


def test_what_is_wanted_is_read_in_order_and_the_rest_let_go(make: Maker, qtbot: QtBot) -> None:
    reading, came = make(), []
    reading.has_read.connect(lambda read: came.append(read.path))
    reading.want(PATHS[:3])
    qtbot.waitUntil(lambda: came == PATHS[:3], timeout=30_000)
    reading.want(PATHS[2:4])
    qtbot.waitUntil(lambda: came == PATHS[:4], timeout=30_000)
    assert set(reading.kept) == set(PATHS[2:4])
    assert reading.get(PATHS[0]) is None


def test_planes_are_in_memory_and_the_stack_with_them(make: Maker, qtbot: QtBot) -> None:
    reading = make()
    reading.want(PATHS[:1])
    qtbot.waitUntil(lambda: reading.get(PATHS[0]) is not None, timeout=30_000)
    read = reading.get(PATHS[0])
    assert isinstance(read.pixels, np.ndarray)
    assert read.stack.data is read.pixels
    low, high = read.about["contrast_limits"]
    assert read.pixels.min() <= low < high <= read.pixels.max()


def test_what_does_not_fit_stays_in_its_file(make: Maker, qtbot: QtBot) -> None:
    reading = make(room_bytes=2 * BYTES)
    reading.want(PATHS[:3])
    qtbot.waitUntil(lambda: len(reading.kept) == 3, timeout=30_000)
    assert [reading.get(path).in_memory for path in PATHS[:3]] == [True, True, False]
    assert sum(reading.get(path).nbytes for path in PATHS[:3]) == 2 * BYTES
    np.testing.assert_array_equal(np.asarray(reading.get(PATHS[2]).pixels), opened(PATHS[2]).data)


def test_a_stack_that_cannot_be_read_is_told_and_the_next_one_comes(make: Maker, qtbot: QtBot) -> None:
    reading, refused = make(), []
    reading.refused.connect(lambda path, error: refused.append((path.name, str(error))))
    reading.want([Path("bad"), PATHS[0]])
    qtbot.waitUntil(lambda: reading.kept == (PATHS[0],), timeout=30_000)
    qtbot.waitUntil(lambda: refused == [("bad", "bad is damaged; copy it again.")], timeout=30_000)


def test_what_the_user_waits_for_goes_before_what_is_read_ahead(make: Maker, qtbot: QtBot) -> None:
    gate, begun = threading.Event(), []

    class Slow:
        """Planes of the second stack wait for the gate."""

        shape, dtype, ndim, nbytes = STACK.data.shape, STACK.data.dtype, 3, BYTES

        def __getitem__(self, index: Any) -> Any:
            begun.append(index)
            gate.wait(20)
            return STACK.data[index]

    def slow(path: Path) -> ZStack:
        return replace(STACK, data=Slow()) if path == PATHS[1] else opened(path)

    reading, came = make(slow), []
    reading.has_read.connect(lambda read: came.append(read.path))
    reading.want(PATHS[:2])
    qtbot.waitUntil(lambda: bool(begun), timeout=30_000)
    reading.want([PATHS[4], PATHS[1]])
    gate.set()
    qtbot.waitUntil(lambda: len(came) == 3, timeout=30_000)
    assert came == [PATHS[0], PATHS[4], PATHS[1]]


def test_nothing_is_read_any_more_once_it_is_closed(make: Maker) -> None:
    reading = make()
    assert reading.close()
    reading.want(PATHS)
    assert reading.kept == ()
