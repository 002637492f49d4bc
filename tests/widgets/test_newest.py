from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from napari_autofocus.errors import InputError
from napari_autofocus.widgets.estimate.newest import NewestOnly


class Gate:
    """Tasks that wait until they are let through."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()

    def task(self, answer: object) -> object:
        self.begun.set()
        assert self.open.wait(20)
        return answer


@pytest.fixture
def thread(qtbot: QtBot) -> Iterator[NewestOnly]:
    made = NewestOnly("napari-autofocus test")
    yield made
    assert made.close()


@pytest.fixture
def heard(thread: NewestOnly) -> list[object]:
    answers: list[object] = []
    thread.answered.connect(answers.append)
    thread.refused.connect(answers.append)
    return answers


def test_only_the_newest_of_what_waits_is_done(thread: NewestOnly, heard: list[object], qtbot: QtBot) -> None:
    gate = Gate()
    thread.ask(lambda: gate.task("first"))
    assert gate.begun.wait(20)
    for answer in ("second", "third", "fourth"):
        thread.ask(lambda answer=answer: answer)
    gate.open.set()
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert heard == ["first", "fourth"]


def test_a_refusal_is_told_in_words_and_work_goes_on(thread: NewestOnly, heard: list[object], qtbot: QtBot) -> None:
    def refuse() -> None:
        raise InputError("too small")

    thread.ask(refuse)
    qtbot.waitUntil(lambda: len(heard) == 1)
    thread.ask(lambda: "next")
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert [str(answer) for answer in heard] == ["too small", "next"]


def test_what_was_forgotten_is_not_told(thread: NewestOnly, heard: list[object], qtbot: QtBot) -> None:
    gate = Gate()
    thread.ask(lambda: gate.task("old"))
    assert gate.begun.wait(20)
    thread.forget()
    thread.ask(lambda: "new")
    gate.open.set()
    qtbot.waitUntil(lambda: len(heard) == 1)
    assert heard == ["new"]


def test_a_bug_is_raised_on_the_gui_thread_and_the_next_task_is_done(
    thread: NewestOnly, heard: list[object], qtbot: QtBot
) -> None:
    with qtbot.captureExceptions() as bugs:
        thread.ask(lambda: 1 / 0)
        qtbot.waitUntil(lambda: len(bugs) == 1)
    assert bugs[0][0] is ZeroDivisionError
    thread.ask(lambda: "next")
    qtbot.waitUntil(lambda: heard == ["next"])


def test_nothing_is_done_after_closing(qtbot: QtBot) -> None:
    thread = NewestOnly("napari-autofocus closed")
    done = threading.Event()
    assert thread.close()
    thread.ask(done.set)
    assert not any(each.name == "napari-autofocus closed" for each in threading.enumerate())
    assert not done.is_set()


def test_nothing_is_begun_once_python_takes_no_more_work(thread: NewestOnly, heard: list[object]) -> None:
    thread._pool.shutdown()  # as Python does with every pool when it ends
    thread.ask(lambda: "too late")
    assert heard == []
