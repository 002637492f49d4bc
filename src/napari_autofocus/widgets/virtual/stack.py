"""Two planes of a z-stack as the shots: chosen by hand, or one ΔD below and one above the best focus."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.focus.zstack import FocusSettings, PlaneDone, StackFocus, measure_stack
from napari_autofocus.widgets.layers import stack_layer
from napari_autofocus.widgets.parts.forms import NAME_PX, Message, button, choice, label, number, refill, row, snug
from napari_autofocus.widgets.parts.sentences import plain_um, stack_sentence
from napari_autofocus.widgets.virtual.pair import Pair, may_be_stack, pair_of_planes
from napari_autofocus.widgets.worker import Job, Worker

_NO_STACK = "no z-stack"
_MOST_UNASKED_PX = 50_000_000
"""A stack of so many pixels is measured without being asked: that takes a second or two."""


class StackPage(QWidget):
    """Chooses a stack and two of its planes; ``changed`` tells of another choice.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers there are.
    worker : Worker
        Looks for the best focus.
    theme : str
        Id of the napari theme whose colours are used.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel, worker: Worker, theme: str) -> None:
        super().__init__()
        self._viewer, self._worker = viewer, worker
        self._job: Job | None = None
        self._measured: Image | None = None
        self._z_um: np.ndarray | None = None
        self._best: int | None = None
        self.best_z_um: float | None = None
        self.layer: Image | None = None
        self._build(theme)
        self._arrange()
        self.stack_box.activated.connect(self._on_stack_chosen)
        self.half_box.valueChanged.connect(self._on_half_changed)
        self.find_button.clicked.connect(self.find_focus)
        for box in self.plane_boxes:
            box.activated.connect(lambda _: self.changed.emit())

    def _build(self, theme: str) -> None:
        self.stack_box = choice([], "z-stack whose planes serve as the two shots")
        self.half_box = number(1, 0.01, 100, 0.1, "µm", "ΔD: distance of each shot from the best focus, µm")
        self.find_button = button(
            "Around best focus", "Measure every plane, and take the two nearest to the best focus −ΔD and +ΔD (µm)"
        )
        self.plane_boxes = (
            choice([], "z of the first shot, µm"),
            choice([], "z of the second shot, µm"),
        )
        self.message = Message(theme)

    def _arrange(self) -> None:
        snug(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for name, parts in (
            ("Stack", (self.stack_box,)),
            ("ΔD", (self.half_box, self.find_button)),
            ("Planes", (self.plane_boxes[0], label("and"), self.plane_boxes[1])),
        ):
            title = label(name)
            title.setFixedWidth(NAME_PX)
            line = row(title, *parts)
            for place in range(1, line.count()):
                line.setStretch(place, int(isinstance(line.itemAt(place).widget(), QComboBox)))
            column.addLayout(line)
        column.itemAt(1).layout().addStretch(1)
        column.addWidget(self.message)

    # what is chosen

    def pair(self) -> Pair:
        """The two planes. Raises InputError where they make no pair."""
        if self.layer is None:
            raise InputError("No z-stack is open; open one (File, Open Sample, Autofocus has some).")
        if self._z_um is None:
            raise InputError(self.message.text() or f"Layer {self.layer.name!r} does not say where its planes lie.")
        first, second = (int(box.currentData()) for box in self.plane_boxes)
        return pair_of_planes(self.layer, first, second, self._best)

    def suggest_half(self, half_um: float) -> None:
        """Start from this ΔD, µm."""
        self.half_box.setValue(half_um)

    def refresh(self) -> None:
        """Bring the list of stacks up to date; a stack that is gone is used no more."""
        items = [(layer.name, layer) for layer in reversed(self._viewer.layers) if may_be_stack(layer)]
        kept = self.layer if any(layer is self.layer for _, layer in items) else None
        chosen = kept if kept is not None else (items[0][1] if items else None)
        refill(self.stack_box, items or [(_NO_STACK, None)], chosen)
        self.stack_box.setEnabled(bool(items))
        if chosen is not self.layer:
            self._use(chosen)

    def choose(self, layer: Image) -> None:
        """Use this stack."""
        refill(self.stack_box, [(self.stack_box.itemText(i), self.stack_box.itemData(i)) for i in self._rows()], layer)
        self._use(layer)

    def _rows(self) -> range:
        return range(self.stack_box.count())

    def _on_stack_chosen(self, index: int) -> None:
        layer = self.stack_box.itemData(index)
        if layer is not self.layer:
            self._use(layer)

    def _use(self, layer: Image | None) -> None:
        """Another stack: its planes around the middle, until its best focus is known."""
        self.cancel()
        self.layer, self._best, self.best_z_um, self._z_um = layer, None, None, None
        self.message.say("")
        if layer is not None:
            self._read_z(layer)
        known = self._z_um is not None
        items = [(plain_um(z), place) for place, z in enumerate(self._z_um)] if self._z_um is not None else []
        for box in self.plane_boxes:
            refill(box, items, None)
        for part in (self.half_box, self.find_button, *self.plane_boxes):
            part.setEnabled(known)
        self._choose_planes()
        if layer is not None and known and np.prod(stack_layer.full_resolution(layer).shape) <= _MOST_UNASKED_PX:
            self.find_focus()

    def _read_z(self, layer: Image) -> None:
        try:
            self._z_um = stack_layer.z_positions_um(layer) if layer.ndim == 3 else None
        except InputError as error:
            self.message.fail(error)
            return
        if layer.ndim != 3:
            self.message.say(f"{layer.name} has {layer.ndim} axes; split its channels or time points first.", "warning")
        elif self._z_um is None:
            self.message.say(f"{layer.name} does not say where its planes lie; set its scale along z in µm.", "warning")

    def _choose_planes(self) -> None:
        """The planes nearest to the best focus −ΔD and +ΔD; two different ones where there are two."""
        if self._z_um is not None:
            planes = planes_around(self._z_um, self.best_z_um, self.half_box.value())
            for box, plane in zip(self.plane_boxes, planes, strict=True):
                box.setCurrentIndex(plane)
        self.changed.emit()

    def _on_half_changed(self, *_: object) -> None:
        self._choose_planes()

    # best focus

    @property
    def is_looking(self) -> bool:
        """Whether the best focus is being looked for."""
        return self._job is not None

    def find_focus(self) -> None:
        """Measure every plane of the stack, beside the GUI."""
        self.cancel()
        if self.layer is None:
            return
        try:
            stack = stack_layer.stack_of(self.layer)
        except InputError as error:
            self.message.fail(error)
            return
        self._measured = self.layer
        self.message.say("Looking for the best focus…")
        work = measure_stack(stack, FocusSettings(patch_px=stack_layer.fitting_patch_px(stack.field_shape)))
        self._job = self._worker.run(work, step=self._on_step, done=self._on_found, failed=self._on_failed)

    def cancel(self) -> None:
        """Look no further."""
        if self._job is not None:
            self._job.cancel()
        self._job = None

    def _on_step(self, step: PlaneDone) -> None:
        if self._job is not None:
            self.message.say(f"Looking for the best focus: plane {step.done} of {step.total}")

    def _on_found(self, focus: StackFocus) -> None:
        if self._job is None or self._measured is not self.layer or self._z_um is None:
            return
        self._job = None
        self.best_z_um = stack_layer.centre_um(focus)
        if self.best_z_um is None:
            self.message.say(f"{stack_sentence(focus)} Choose the planes yourself.", "warning")
        else:
            self._best = int(np.argmin(np.abs(self._z_um - self.best_z_um)))
            self.message.say(f"Best focus at z {plain_um(self.best_z_um)}.")
        self._choose_planes()

    def _on_failed(self, error: AutofocusError) -> None:
        if self._job is not None:
            self._job = None
            self.message.fail(error)


def planes_around(z_um: np.ndarray, centre_um: float | None, half_um: float) -> tuple[int, int]:
    """Indices of the planes nearest to a centre −ΔD and +ΔD; never the same where there are two.

    Parameters
    ----------
    z_um : np.ndarray, shape (Z,)
        Where the planes lie, in any order.
    centre_um : float or None
        None for the middle of the stack.
    half_um : float
        ΔD.
    """
    centre = float(np.median(z_um)) if centre_um is None else centre_um
    low, high = (int(np.argmin(np.abs(z_um - (centre + way * half_um)))) for way in (-1, 1))
    if low == high and len(z_um) > 1:
        order = np.argsort(z_um)
        place = min(max(int(np.flatnonzero(order == low)[0]), 1), len(z_um) - 1)
        low, high = int(order[place - 1]), int(order[min(place + 1, len(z_um) - 1)])
        if low == high:
            low = int(order[0])
    return low, high
