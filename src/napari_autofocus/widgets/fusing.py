"""The All in focus panel: one image that is sharp everywhere of a z-stack that is open, and its depth map."""

from __future__ import annotations

import napari.viewer
from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QProgressBar, QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.layers import stack_layer
from napari_autofocus.widgets.layers.depth import FusedShown
from napari_autofocus.widgets.parts.depth_row import DepthRow
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import (
    NAME_PX,
    Message,
    button,
    choice,
    connect_while_alive,
    label,
    number,
    refill,
    row,
    scrolled,
)
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.worker import Job
from napari_autofocus.workflows.fusing import FusedStack, FuseSettings, FuseStep, fuse_stack

_NO_STACK = "Open a z-stack first: an image with a z axis."


class FusingPanel(QWidget):
    """Fuses a z-stack layer into an all-in-focus image and a depth map."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=False)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._jobs: list[Job] = []  # at most one; outlives the panel, so that it can be cancelled
        self._place: dict[str, object] = {}
        self._lens: str | None = None
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self._refill()

    def _build(self, theme: str) -> None:
        self.layer_box = choice([], "The z-stack to fuse: any image layer with a z axis")
        self.step_box = number(1.0, 0.01, 1000, 0.1, "µm", "Distance of the planes, µm, where the layer does not say")
        self.register_box = QCheckBox("Take out sideways shifts")
        self.register_box.setToolTip("Lay the planes over each other first, where stage or sample has moved (px)")
        self.register_box.setChecked(True)
        tip = "Confidence from which a depth is told (a share); seven or more planes of noise stay below 0.4"
        self.sure_box = number(0.4, 0.0, 1.0, 0.05, "", tip, width_px=60)
        self.start_button = button("Make all-in-focus image", "Fuse the planes into one image and a depth map (µm)")
        self.stop_button = button("Stop", "Stop; nothing is added")
        self.progress = QProgressBar()
        self.progress.setToolTip("Steps done (a number)")
        self.message = Message(theme)
        self.depth = DepthRow(self._session, theme)

    def _arrange(self) -> None:
        column = scrolled(self)
        name = label("Stack")
        name.setFixedWidth(NAME_PX)
        line = row(name, self.layer_box, self.step_box)
        line.setStretch(1, 1)
        column.addLayout(line)
        column.addLayout(row(self.register_box, 1, label("Depth from"), self.sure_box))
        starting = row(self.start_button, self.stop_button)
        starting.setStretch(0, 1)
        column.addLayout(starting)
        for part in (self.progress, self.message, self.depth):
            column.addWidget(part)
        column.addStretch(1)

    def _connect(self) -> None:
        self.layer_box.activated.connect(lambda _: self._on_layer_chosen())
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self.destroyed.connect(_Leaving(self._jobs))
        events = self._viewer.layers.events
        connect_while_alive(
            self,
            [
                (events.inserted, self._refill),
                (events.removed, self._refill),
                (self._viewer.layers.selection.events.active, self._on_active_changed),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # which stack

    @property
    def layer(self) -> Image | None:
        """The layer that is chosen."""
        chosen = self.layer_box.currentData()
        return chosen if isinstance(chosen, Image) else None

    def _refill(self, *_: object) -> None:
        stacks = [layer for layer in self._viewer.layers if stack_layer.is_stack(layer) and not _is_plane(layer)]
        refill(self.layer_box, [(layer.name, layer) for layer in stacks], self.layer)
        self._on_layer_chosen()

    def _on_active_changed(self, *_: object) -> None:
        active = self._viewer.layers.selection.active
        index = next((i for i in range(self.layer_box.count()) if self.layer_box.itemData(i) is active), None)
        if index is not None:
            self.layer_box.setCurrentIndex(index)
            self._on_layer_chosen()

    def _on_layer_chosen(self) -> None:
        layer = self.layer
        knows = True
        if layer is not None:
            try:
                knows = stack_layer.z_positions_um(layer) is not None
            except InputError:
                knows = True  # it will be told when it is started
        self.step_box.setVisible(not knows)
        if not self._jobs:
            self.message.say("" if layer is not None else _NO_STACK)
        self._enable()

    # fusing

    @property
    def is_fusing(self) -> bool:
        """Whether a stack is on its way."""
        return bool(self._jobs)

    def start(self) -> None:
        """Fuse the stack that is chosen, beside the GUI."""
        layer = self.layer
        if layer is None or self._jobs:
            return
        try:
            step_um = self.step_box.value() if self.step_box.isVisibleTo(self) else None
            stack = stack_layer.stack_of(layer, step_um)
            settings = FuseSettings(register=self.register_box.isChecked(), least_sure=self.sure_box.value())
        except InputError as error:
            self.message.fail(error)
            return
        self._place = {
            "scale": tuple(layer.scale[-2:]),
            "translate": tuple(layer.translate[-2:]),
            "units": tuple(layer.units[-2:]),
        }
        self._lens = layer.metadata.get(stack_layer.METADATA_KEY, {}).get("objective")
        self.message.say("Reading…")
        job = self._session.analysis.run(
            fuse_stack(stack, settings),
            step=self._on_step,
            done=self._on_done,
            failed=self._on_failed,
            cancelled=lambda: self.message.say("Stopped; nothing was added."),
            ended=self._on_ended,
        )
        self._jobs.append(job)
        self._enable()

    def stop(self) -> None:
        """Stop after the step it is in."""
        for job in self._jobs:
            self.message.say("Stopping…")
            job.cancel()

    def _on_step(self, step: FuseStep) -> None:
        self.progress.setRange(0, step.total)
        self.progress.setValue(step.done)
        self.message.say(f"{step.phase.capitalize()}…")

    def _on_done(self, found: FusedStack) -> None:
        objective = found.objective
        if objective is None and self._lens:
            objective = Objective.parse(self._lens, pixel_size_um=found.pixel_size_um)
        name = f"All in focus: {found.source}"
        place, about = self._place, (found.pixel_size_um, objective)
        self.depth.show_fused(FusedShown(name, found.fused.image, found.depth_um, found.origin, place, *about))
        told = f"{len(found.z_um)} planes fused in {found.seconds:.1f} s; depth told of {found.told:.0%} of the pixels."
        self.message.say(" ".join((told, *found.warnings)), "warning" if found.warnings else "good")

    def _on_failed(self, error: AutofocusError) -> None:
        self.message.fail(error)

    def _on_ended(self) -> None:
        self._jobs.clear()
        self._enable()

    def _enable(self) -> None:
        fusing = self.is_fusing
        self.start_button.setEnabled(not fusing and self.layer is not None)
        for part in (self.stop_button, self.progress):
            part.setVisible(fusing)
        for part in (self.layer_box, self.step_box, self.register_box, self.sure_box):
            part.setEnabled(not fusing)

    def _on_theme_changed(self, *_: object) -> None:
        for part in (self.message, self.depth):
            part.set_theme(self._viewer.theme)


def _is_plane(layer: Image) -> bool:
    """An axis in front that has one plane only is no z axis."""
    return stack_layer.full_resolution(layer).shape[layer.ndim - 3] < 2


class _Leaving:
    """The panel is gone: what it computes is not waited for."""

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs = jobs

    def __call__(self, *_: object) -> None:
        for job in self._jobs:
            job.cancel()
