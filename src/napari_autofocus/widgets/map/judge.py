"""The points of a map to be judged: the table, the surface through them, and what may be changed by hand."""

from __future__ import annotations

from typing import get_args

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.slide.focus_map import Surface
from napari_autofocus.widgets.map.book import MapBook
from napari_autofocus.widgets.map.table import PointsTable
from napari_autofocus.widgets.map.words import map_words
from napari_autofocus.widgets.parts.forms import Message, button, choice, label, number, row, snug

_NAMES = {"auto": "Best of all", "plane": "Plane", "spline": "Spline", "rbf": "RBF"}
_FARTHEST_UM = 1_000_000.0


class JudgeSection(QWidget):
    """Shows what the surface is like, lists the points, and lets a person change them.

    ``picked`` (int or None) tells of another selection, ``again_wanted`` and ``go_wanted`` (int) what shall be done
    with a point.

    Parameters
    ----------
    book : MapBook
        The points.
    theme : str
        Id of the napari theme whose colours are used.
    """

    picked = Signal(object)
    again_wanted = Signal(int)
    go_wanted = Signal(int)

    def __init__(self, book: MapBook, theme: str) -> None:
        super().__init__()
        self._book = book
        self._can_edit, self._can_move, self._can_look = True, False, False
        self._build(theme)
        self._arrange()
        self._connect()
        self.refresh()

    def _build(self, theme: str) -> None:
        kinds = [(_NAMES[kind], kind) for kind in get_args(Surface)]
        self.surface_box = choice(kinds, "What is laid through the points; the best errs least at points left out")
        self.line = Message(theme)
        self.table = PointsTable(self._book, theme)
        tip = "Drive position of the selected point's focus, µm; Set takes it"
        self.z_box = number(0, -_FARTHEST_UM, _FARTHEST_UM, 0.1, "µm", tip)
        self.set_button = button("Set", "Take this z for the selected point, by hand (µm)")
        self.remove_button = button("Remove z", "The selected point's focus is not known: the surface does without it")
        self.undo_button = button("Undo", "Take back the newest change by hand")
        self.again_button = button("Survey again", "Look at the selected point once more: stage and drive move (µm)")
        self.go_button = button(
            "Go there", "Bring stage and drive to the selected point (µm); the drive only if it has a z"
        )
        self.message = Message(theme)

    def _arrange(self) -> None:
        snug(self.line, self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(label("Surface"), self.surface_box, 1))
        column.addWidget(self.line)
        column.addWidget(self.table, 1)
        column.addLayout(row(label("z"), self.z_box, self.set_button, self.remove_button, 1, self.undo_button))
        column.addLayout(row(self.again_button, self.go_button, 1))
        column.addWidget(self.message)

    def _connect(self) -> None:
        self.surface_box.currentIndexChanged.connect(self._on_surface_chosen)
        self.table.picked.connect(self._on_picked)
        self.set_button.clicked.connect(lambda: self._change(self.z_box.value()))
        self.remove_button.clicked.connect(lambda: self._change(None))
        self.undo_button.clicked.connect(self._on_undo_clicked)
        self.again_button.clicked.connect(lambda: self._ask(self.again_wanted))
        self.go_button.clicked.connect(lambda: self._ask(self.go_wanted))
        self._book.changed.connect(self.refresh)
        self._book.fitted_changed.connect(self.refresh)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.line, self.table, self.message):
            part.set_theme(theme)

    def allow(self, *, can_edit: bool, can_move: bool, can_look: bool) -> None:
        """Whether points may be changed by hand, the stage be moved, and points be looked at again, now."""
        self._can_edit, self._can_move, self._can_look = can_edit, can_move, can_look
        self.refresh()

    def choose(self, index: int | None) -> None:
        """Select a point, on the map for instance."""
        self.table.choose(index)

    # what happens

    def _on_surface_chosen(self, _: int) -> None:
        self._book.choose_surface(self.surface_box.currentData())

    def _on_picked(self, index: int | None) -> None:
        self.message.say("")
        if index is not None and (z_um := self._book.points[index].z_um) is not None:
            self.z_box.setValue(z_um)
        elif index is not None and self._book.map is not None:  # a start for who sets it by hand
            point = self._book.points[index]
            self.z_box.setValue(float(self._book.map.z_um(point.x_um, point.y_um)))
        self.refresh()
        self.picked.emit(index)

    def _change(self, z_um: float | None) -> None:
        index = self.table.chosen
        if index is None:
            return
        try:
            self._book.set_z(index, z_um)
        except InputError as error:
            self.message.fail(error)
            return
        self.message.say(
            f"Point {index + 1} {'has no z any more' if z_um is None else 'was set by hand'}; Undo takes it back."
        )

    def _on_undo_clicked(self) -> None:
        self._book.undo()
        self.message.say("Taken back.")

    def _ask(self, wanted: Signal) -> None:
        index = self.table.chosen
        if index is not None:
            wanted.emit(index)

    def refresh(self) -> None:
        """What the surface is like, and what can be done with the selected point."""
        book = self._book
        self.line.say(book.fault if book.map is None else map_words(book.map), "warning" if book.fault else "plain")
        chosen = self.table.chosen is not None
        for part in (self.z_box, self.set_button, self.remove_button):
            part.setEnabled(chosen and self._can_edit)
        self.undo_button.setEnabled(book.can_undo and self._can_edit)
        self.again_button.setEnabled(chosen and self._can_look)
        self.go_button.setEnabled(chosen and self._can_move)
