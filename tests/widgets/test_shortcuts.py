from __future__ import annotations

from pathlib import Path

import pytest
from napari.components import ViewerModel
from napari.utils.shortcuts import default_shortcuts
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QWidget

from napari_autofocus.widgets.parts.shortcuts import (
    HALT_KEY,
    LIVE_KEY,
    PROPOSE_KEY,
    REFOCUS_KEY,
    STOP_KEY,
    UNDO_KEY,
    add_shortcut,
    native,
)

OURS = (REFOCUS_KEY, PROPOSE_KEY, UNDO_KEY, HALT_KEY, LIVE_KEY)


@pytest.mark.parametrize("keys", OURS)
def test_napari_has_nothing_on_these_keys(keys: str) -> None:
    taken = {QKeySequence(str(key)).toString() for found in default_shortcuts.values() for key in found}
    assert "Ctrl+C" in taken
    assert QKeySequence(keys).toString() not in taken


@pytest.mark.parametrize("keys", OURS)
def test_nor_have_its_menus(keys: str) -> None:
    from napari._app_model import get_app_model
    from napari._qt._qapp_model import build_qmodel_menu  # noqa: F401  registers what the window offers

    bound = {
        QKeySequence(str(binding.keybinding)).toString()
        for binding in get_app_model().keybindings
        if binding.keybinding is not None
    }
    assert QKeySequence(keys).toString() not in bound


def test_keys_differ() -> None:
    assert len({*OURS, STOP_KEY}) == 6
    assert all(native(keys) for keys in (*OURS, STOP_KEY))


def test_a_shortcut_does_what_it_is_told(viewer: ViewerModel, qtbot: QtBot) -> None:
    panel, pressed = QWidget(), []
    qtbot.addWidget(panel)
    add_shortcut(viewer, panel, REFOCUS_KEY, lambda: pressed.append(True)).activated.emit()
    assert pressed == [True]


@pytest.mark.parametrize("keys", [*OURS, STOP_KEY])
def test_every_key_is_in_the_docs(keys: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "napari_files_and_keys.md"
    assert f"\n| {keys} |" in page.read_text(encoding="utf-8")
