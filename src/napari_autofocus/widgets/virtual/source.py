"""Where the two shots come from: two planes of a z-stack, two image layers, or the microscope, now."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.two_planes import TwoPlanes
from napari_autofocus.widgets.estimate.seeing import FrameSeen
from napari_autofocus.widgets.focus_state import Seen
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY
from napari_autofocus.widgets.parts.forms import NAME_PX, choice, connect_while_alive, label, refill, row
from napari_autofocus.widgets.parts.sentences import plain_um
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.virtual.pair import Pair, may_be_shot, may_be_stack, pair_of_layers
from napari_autofocus.widgets.virtual.stack import StackPage
from napari_autofocus.widgets.virtual.take import TakePage

_KINDS = (
    ("Two planes of a z-stack", "stack"),
    ("Two images", "layers"),
    ("Take two shots now", "take"),
)
_NO_IMAGE = "no other image"
_TIP = "Where the two shots come from: one below and one above focus, of one field"


class SourceForm(QWidget):
    """Asks for the two shots; ``changed`` tells of every other answer, ``listed`` of layers that come or go.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    """

    changed = Signal()
    listed = Signal()

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._viewer: ViewerModel = session.viewer
        self._by_user = False
        self.kind_box = choice(_KINDS, _TIP)
        self.stack = StackPage(self._viewer, session.analysis, theme)
        self.take = TakePage(session, theme, lambda: self.stack.best_z_um)
        self.layer_boxes = choice([], "First shot: an image layer"), choice([], "Second shot: an image layer")
        self.layers = QWidget()
        self._arrange()
        self._connect()
        self._on_layers_changed()

    def _arrange(self) -> None:
        title = label("Shots")
        title.setFixedWidth(NAME_PX)
        first = row(title, self.kind_box)
        first.setStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(first)
        lines = QVBoxLayout(self.layers)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(3)
        for name, box in zip(("First", "Second"), self.layer_boxes, strict=True):
            title = label(name)
            title.setFixedWidth(NAME_PX)
            line = row(title, box)
            line.setStretch(1, 1)
            lines.addLayout(line)
        for page in self._pages.values():
            column.addWidget(page)

    def _connect(self) -> None:
        self.kind_box.activated.connect(self._on_kind_chosen)
        for box in self.layer_boxes:
            box.activated.connect(self._on_changed)
        self.stack.changed.connect(self._on_stack_changed)
        self.take.changed.connect(self._on_changed)
        events = self._viewer.layers.events
        connect_while_alive(
            self, [(signal, self._on_layers_changed) for signal in (events.inserted, events.removed, events.renamed)]
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.stack.message, self.take.message):
            part.set_theme(theme)

    # what is chosen

    @property
    def _pages(self) -> dict[str, QWidget]:
        return {"stack": self.stack, "layers": self.layers, "take": self.take}

    @property
    def kind(self) -> str:
        """``stack``, ``layers`` or ``take``."""
        return str(self.kind_box.currentData())

    @property
    def has_images(self) -> bool:
        """Whether there is any layer that may be a shot."""
        return any(may_be_shot(layer) for layer in self._viewer.layers)

    @property
    def told(self) -> str:
        """What the page that is shown says already."""
        return (
            {"stack": self.stack.message, "take": self.take.message}[self.kind].text() if self.kind != "layers" else ""
        )

    def pair(self) -> Pair:
        """The two shots that are there. Raises InputError where there are none."""
        if self.kind == "stack":
            return self.stack.pair()
        first, second = (box.currentData() for box in self.layer_boxes)
        return pair_of_layers(self._viewer, first, second)

    def choose_kind(self, kind: str) -> None:
        """Take the shots from there."""
        self._by_user = True
        self.kind_box.setCurrentIndex(self.kind_box.findData(kind))
        self._show_page()
        self._on_changed()

    def choose_layers(self, first: Image, second: Image) -> None:
        """Use these two layers."""
        self._refill_layers((first, second))
        self.choose_kind("layers")

    def suggest_half(self, half_um: float) -> None:
        """Start from this ΔD, µm."""
        for page in (self.stack, self.take):
            page.suggest_half(half_um)

    # what happens

    def _on_kind_chosen(self, *_: object) -> None:
        self._by_user = True
        self._show_page()
        self._on_changed()

    def _show_page(self) -> None:
        for kind, page in self._pages.items():
            page.setVisible(kind == self.kind)
        self.take.refresh()

    def _on_stack_changed(self) -> None:
        self.take.refresh()
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        self.changed.emit()

    def _on_layers_changed(self, *_: object) -> None:
        self._refill_layers((self.layer_boxes[0].currentData(), self.layer_boxes[1].currentData()))
        self.stack.refresh()
        if not self._by_user:
            self.kind_box.setCurrentIndex(self.kind_box.findData(self._likely()))
        self._show_page()
        self.listed.emit()

    def _likely(self) -> str:
        """What fits the layers that are there."""
        flat = sum(may_be_shot(layer) and not may_be_stack(layer) for layer in self._viewer.layers)
        return "layers" if flat >= 2 and self.stack.layer is None else "stack"

    def _refill_layers(self, wished: tuple[Image | None, Image | None]) -> None:
        """Two different layers where there are two, those that were chosen before if they are still there."""
        shots = [layer for layer in self._viewer.layers if may_be_shot(layer)]
        items = [(layer.name, layer) for layer in shots]
        kept = [next((layer for layer in shots if layer is wish), None) for wish in wished]
        if kept[1] is kept[0]:
            kept[1] = None
        free = [layer for layer in shots if not any(layer is one for one in kept)]
        for box, keep in zip(self.layer_boxes, kept, strict=True):
            chosen = keep if keep is not None else (free.pop(0) if free else None)
            refill(box, items if chosen is not None else [*items, (_NO_IMAGE, None)], chosen)
            box.setEnabled(bool(shots))


def show_shots(viewer: ViewerModel, taken: TwoPlanes) -> tuple[Image, Image]:
    """Two shots that were just taken as layers, named by their z."""
    made = [_shot_layer(frame) for frame in taken.shots]
    for layer in made:
        viewer.add_layer(layer)
    return made[0], made[1]


def _shot_layer(frame: Frame) -> Image:
    seen: Seen = FrameSeen(frame).read()
    about = {"z_um": [frame.z_um], "pixel_size_um": frame.pixel_size_um, "bit_depth": frame.bit_depth}
    return Image(
        frame.image,
        name=f"shot z {plain_um(frame.z_um)}",
        rgb=frame.image.ndim == 3,
        scale=seen.scale,
        units=seen.units,
        metadata={METADATA_KEY: about},
    )
