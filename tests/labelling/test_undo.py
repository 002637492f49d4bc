"""Undo and redo: every annotator steps through the own statements only, one stack's or all in the order said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from napari_autofocus.labelling import LabelStore

NAMES = ("ann", "bob")
STACKS = ("a.tif", "b.tif")
Action = tuple[str, str, str | int]

actions = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(STACKS),
        st.one_of(st.sampled_from(["undo", "redo"]), st.integers(0, 99)),
    ),
    max_size=25,
)


class Expected:
    """One annotator's statements as plain lists: done and undone, newest last."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []
        self.undone: list[tuple[str, int]] = []

    def act(self, stack: str, what: str | int) -> None:
        if what == "undo" and self.done:
            self.undone.append(self.done.pop())
        elif what == "redo" and self.undone:
            self.done.append(self.undone.pop())
        elif isinstance(what, int):
            self.done.append((stack, what))
            self.undone.clear()

    def of(self, stack: str) -> int | None:
        return next((value for where, value in reversed(self.done) if where == stack), None)


def said(store: LabelStore, stack: str, annotator: str) -> Any:
    entry = store.current(stack, annotator=annotator)
    return None if entry is None else entry.value


@settings(max_examples=30, deadline=None)
@given(actions)
def test_undo_and_redo_follow_each_annotators_own_order_over_all_stacks(script: list[Action]) -> None:
    expected = {name: Expected() for name in NAMES}
    with LabelStore(":memory:", root=Path.cwd()) as store:
        for count, (name, stack, what) in enumerate(script):
            expected[name].act(stack, what)
            if what == "undo":
                store.undo_last(annotator=name)
            elif what == "redo":
                store.redo_last(annotator=name)
            else:
                store.add(stack, what, annotator=name, source="person")
            now = {(each, where): said(store, where, each) for each in NAMES for where in STACKS}
            assert now == {(each, where): expected[each].of(where) for each in NAMES for where in STACKS}, count
        history = store.history()
    assert [entry.id for entry in history] == list(range(1, len(history) + 1))
    assert sum(entry.source == "person" for entry in history) == sum(isinstance(what, int) for _, _, what in script)


@settings(max_examples=30, deadline=None)
@given(actions)
def test_undo_and_redo_of_one_stack_leave_the_others_alone(script: list[Action]) -> None:
    expected = {(name, stack): Expected() for name in NAMES for stack in STACKS}
    with LabelStore(":memory:", root=Path.cwd()) as store:
        for name, stack, what in script:
            expected[name, stack].act(stack, what)
            if what == "undo":
                store.undo(stack, annotator=name)
            elif what == "redo":
                store.redo(stack, annotator=name)
            else:
                store.add(stack, what, annotator=name, source="person")
            assert said(store, stack, name) == expected[name, stack].of(stack)
        found = {(name, stack): said(store, stack, name) for name in NAMES for stack in STACKS}
    assert found == {place: each.of(place[1]) for place, each in expected.items()}


def test_undo_and_redo_are_in_the_history_with_who_and_when(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        store.add("a.tif", 1, annotator="ann", source="person")
        store.add("b.tif", 2, annotator="bob", source="person")
        store.undo_last(annotator="ann")
    with LabelStore(tmp_path / "labels.db") as store:  # and after the file was closed
        store.redo_last(annotator="ann")
        history = store.history("a.tif")
    assert [(entry.annotator, entry.source, entry.value) for entry in history] == [
        ("ann", "person", 1),
        ("ann", "undo", None),
        ("ann", "redo", 1),
    ]
    assert [entry.time_utc for entry in history] == sorted(entry.time_utc for entry in history)


def test_nothing_to_undo_or_redo_adds_nothing(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        store.add("a.tif", 1, annotator="bob", source="person")
        assert store.undo_last(annotator="ann") is None
        assert store.undo("a.tif", annotator="ann") is None
        assert store.redo_last(annotator="bob") is None
        assert len(store.history()) == 1
