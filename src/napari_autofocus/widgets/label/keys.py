"""What the keys of the labelling panel do, while it is shown and no text is being written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QGridLayout, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

from napari_autofocus.widgets.parts.forms import connect_while_alive, label
from napari_autofocus.widgets.parts.shortcuts import add_shortcut, native

_TEXT = (QLineEdit, QAbstractSpinBox, QPlainTextEdit, QTextEdit)


@dataclass(frozen=True)
class KeyUse:
    """What some keys do.

    Parameters
    ----------
    action : str
        Name by which the panel is asked for it.
    keys : tuple of str
        Each of them does it.
    words : str
        For the card of keys.
    repeats : bool
        Whether a key that is held down does it again and again.
    anywhere : bool
        Whether it works without a folder, too; other keys are left to napari's tools there.
    """

    action: str
    keys: tuple[str, ...]
    words: str
    repeats: bool = False
    anywhere: bool = False


KEYS = (
    KeyUse("plane_up", ("Up", "."), "one plane up in z", repeats=True, anywhere=True),
    KeyUse("plane_down", ("Down", ","), "one plane down in z", repeats=True, anywhere=True),
    KeyUse("peak", ("J",), "jump to the peak", anywhere=True),
    KeyUse("sharp", ("Space", "Return", "Enter"), "this plane is sharp, and on"),
    KeyUse("accept", ("B",), "the line is right, and on"),
    KeyUse("no_content", ("N",), "no content, and on"),
    KeyUse("two_depths", ("T",), "two depths, and on"),
    KeyUse("skip", ("S",), "skip, and on"),
    KeyUse("next", ("PgDown",), "next stack", repeats=True),
    KeyUse("previous", ("PgUp",), "previous stack", repeats=True),
    KeyUse("undo", ("Ctrl+Z",), "undo what you said last"),
    KeyUse("redo", ("Ctrl+Shift+Z",), "redo it"),
    KeyUse("patches", ("M",), "map of patches", anywhere=True),
    KeyUse("important", ("I",), "paint what is important"),
    KeyUse("unimportant", ("U",), "paint what is unimportant"),
    KeyUse("erase", ("E",), "erase what was painted"),
    KeyUse("next_patch", ("P",), "next patch (or click on one)", anywhere=True),
    KeyUse("back", ("Esc",), "back to the field", anywhere=True),
)


class LabelKeys(QObject):
    """The keys, at work only while the panel is shown, and not while text is being written.

    Parameters
    ----------
    viewer : ViewerModel
        In whose window they work.
    panel : QWidget
        Whose keys they are.
    actions : mapping of str to callable
        What each action of :data:`KEYS` does.
    esc_taken : callable
        Whether Esc means something else now, such as stopping the drive.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        panel: QWidget,
        actions: Mapping[str, Callable[[], None]],
        *,
        esc_taken: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(panel)
        self._panel = panel
        self._back_wanted, self._in_folder, self._esc_taken = False, False, esc_taken
        self._made = {
            use.action: [add_shortcut(viewer, panel, keys, actions[use.action]) for keys in use.keys] for use in KEYS
        }
        for use in KEYS:
            for made in self._made[use.action]:
                made.setAutoRepeat(use.repeats)
        panel.installEventFilter(self)
        connect_while_alive(panel, [(QApplication.instance().focusChanged, self.refresh)])
        self.refresh()

    @property
    def at_work(self) -> bool:
        """Whether the keys do something now."""
        return self._panel.isVisible() and not isinstance(QApplication.focusWidget(), _TEXT)

    def want_back(self, wanted: bool) -> None:
        """Whether Esc has something to go back from; otherwise it is left to others."""
        self._back_wanted = wanted
        self.refresh()

    def set_in_folder(self, in_folder: bool) -> None:
        """Whether a folder is being worked on: without one, only the keys that look at a stack are taken."""
        self._in_folder = in_folder
        self.refresh()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._panel and event.type() in (QEvent.Type.Show, QEvent.Type.Hide):
            self.refresh()
        return False

    def refresh(self, *_: object) -> None:
        """Let the keys work, or not, as things are now."""
        at_work = self.at_work
        back = self._back_wanted and not self._esc_taken()
        for use in KEYS:
            wanted = at_work and (self._in_folder or use.anywhere) and (use.action != "back" or back)
            for made in self._made[use.action]:
                made.setEnabled(wanted)


def key_card() -> QWidget:
    """A table of the keys and what they do."""
    card = QWidget()
    grid = QGridLayout(card)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(10)
    grid.setVerticalSpacing(1)
    grid.setColumnStretch(1, 1)
    for number, use in enumerate(KEYS):
        keys = "  ".join(native(key) for key in use.keys)
        grid.addWidget(label(f"<b>{keys}</b>"), number, 0)
        grid.addWidget(label(use.words, wrap=True), number, 1)
    return card


def hint(action: str) -> str:
    """The first key of an action, for the tooltip of a button."""
    return next(f" ({native(use.keys[0])})" for use in KEYS if use.action == action)
