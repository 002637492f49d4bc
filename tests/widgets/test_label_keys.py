"""The keys of the labelling panel: what napari has on them, when they work, and what the docs say."""

from __future__ import annotations

from pathlib import Path

import pytest
from napari.components import ViewerModel
from napari.utils.shortcuts import default_shortcuts
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_autofocus.widgets.label.keys import KEYS, LabelKeys, hint, key_card
from napari_autofocus.widgets.parts.shortcuts import PROPOSE_KEY, REFOCUS_KEY, UNDO_KEY

VIEWER_WIDE = (
    "napari:toggle_ndisplay",
    "napari:toggle_theme",
    "napari:toggle_grid",
    "napari:toggle_selected_visibility",
    "napari:reset_view",
    "napari:delete_selected_layers",
    "napari:increment_dims",
    "napari:roll_axes",
    "napari:transpose_axes",
)
DOCS = Path(__file__).parents[2] / "docs" / "labelling.md"


@pytest.fixture
def pressed() -> list[str]:
    return []


@pytest.fixture
def panel(qtbot: QtBot) -> QWidget:
    made = QWidget()
    made.edit = QLineEdit()
    made.other = QWidget()
    QVBoxLayout(made).addWidget(made.edit)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def keys(viewer: ViewerModel, panel: QWidget, pressed: list[str]) -> LabelKeys:
    made = LabelKeys(viewer, panel, {use.action: lambda action=use.action: pressed.append(action) for use in KEYS})
    made.set_in_folder(True)
    return made


def test_each_key_does_one_thing_and_none_is_ours_already() -> None:
    found = [QKeySequence(key).toString() for use in KEYS for key in use.keys]
    assert all(found)
    assert len(set(found)) == len(found)
    assert not set(found) & {REFOCUS_KEY, PROPOSE_KEY, UNDO_KEY}


def test_what_napari_does_everywhere_stays_on_its_keys() -> None:
    """Keys of a drawing tool are ours while the panel is shown; those of the whole viewer are not, but for Space."""
    ours = {QKeySequence(key).toString() for use in KEYS for key in use.keys}
    whole = {
        QKeySequence(str(key)).toString()
        for name, found in default_shortcuts.items()
        for key in found
        if name.startswith(VIEWER_WIDE)
    }
    assert len(whole) > 6
    assert ours & whole == set()


def test_saying_does_not_repeat_while_a_key_is_held(keys: LabelKeys) -> None:
    repeating = {action for action, shortcuts in keys._made.items() if shortcuts[0].autoRepeat()}
    assert repeating == {"plane_up", "plane_down", "next", "previous"}


def test_keys_work_only_while_the_panel_is_shown(keys: LabelKeys, panel: QWidget, qtbot: QtBot) -> None:
    assert not enabled(keys, "sharp")
    panel.show()
    qtbot.waitUntil(lambda: enabled(keys, "sharp"))
    panel.hide()
    assert not enabled(keys, "sharp")


def test_they_leave_text_fields_alone(keys: LabelKeys, panel: QWidget, qtbot: QtBot) -> None:
    panel.show()
    panel.activateWindow()
    panel.edit.setFocus()
    qtbot.waitUntil(lambda: not enabled(keys, "sharp"))
    panel.edit.clearFocus()
    qtbot.waitUntil(lambda: enabled(keys, "sharp"))


def test_esc_is_left_to_others_unless_there_is_something_to_go_back_from(
    keys: LabelKeys, panel: QWidget, qtbot: QtBot
) -> None:
    panel.show()
    qtbot.waitUntil(lambda: enabled(keys, "sharp"))
    assert not enabled(keys, "back")
    keys.want_back(True)
    assert enabled(keys, "back")


def test_without_a_folder_napari_keeps_the_keys_of_its_tools(keys: LabelKeys, panel: QWidget, qtbot: QtBot) -> None:
    panel.show()
    qtbot.waitUntil(lambda: enabled(keys, "undo"))
    keys.set_in_folder(False)
    assert not any(enabled(keys, action) for action in ("undo", "sharp", "erase", "unimportant"))
    assert enabled(keys, "plane_up")
    assert enabled(keys, "peak")


def test_esc_belongs_to_a_routine_that_runs(viewer: ViewerModel, panel: QWidget, qtbot: QtBot) -> None:
    running = [True]
    keys = LabelKeys(viewer, panel, {use.action: print for use in KEYS}, esc_taken=lambda: running[0])
    panel.show()
    keys.want_back(True)
    qtbot.waitUntil(lambda: enabled(keys, "peak"))
    assert not enabled(keys, "back")
    running[0] = False
    keys.refresh()
    assert enabled(keys, "back")


def test_the_docs_and_the_card_name_every_key(qtbot: QtBot) -> None:
    text = DOCS.read_text(encoding="utf-8")
    card = key_card()
    qtbot.addWidget(card)
    for use in KEYS:
        assert all(f"`{key}`" in text for key in use.keys), use.action
        assert hint(use.action)
    assert card.layout().rowCount() == len(KEYS)


def enabled(keys: LabelKeys, action: str) -> bool:
    return keys._made[action][0].isEnabled()
