"""Label the open z-stack: z of the plane shown, best focus of the field and of each patch, and the curve behind it."""

from __future__ import annotations

from collections.abc import Generator

import napari.viewer
from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QFormLayout, QProgressBar, QWidget

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.zstack import FocusSettings, PlaneDone, StackFocus, ZStack, measure_stack
from napari_autofocus.widgets import stack_layer
from napari_autofocus.widgets.colours import DIVERGING
from napari_autofocus.widgets.docks import share_height
from napari_autofocus.widgets.forms import (
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
from napari_autofocus.widgets.legend import Legend
from napari_autofocus.widgets.plots import FocusCurvePlot
from napari_autofocus.widgets.sentences import curve_reasons, patches_sentence, plain_um, stack_sentence
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.worker import Job

_POLARITIES = (("Told by the curve", "auto"), ("Greatest contrast", "max"), ("Least contrast", "min"))
_PATCH_SIZES = (32, 64, 128, 256, 512)


class LabellingPanel(QWidget):
    """Finds the best focus of a z-stack that is open in napari."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self._job: Job | None = None
        self._result: tuple[Image, StackFocus] | None = None
        self._build()
        self._connect()
        self._on_layers_changed()

    # layout

    def _build(self) -> None:
        theme = self._viewer.theme
        self.layer_box = choice([], "The z-stack to label: any image layer with a z axis")
        self.z_label = label("", tip="z of the plane that the slider shows, µm")
        self.step_box = number(0.5, 0.001, 1000, 0.1, "µm", "Distance between two planes, µm", decimals=3)
        self.patch_box = choice(
            [("Auto", None), *((f"{size} px", size) for size in _PATCH_SIZES)],
            "Side of a patch, pixels; Auto: about six across the field",
        )
        self.polarity_box = choice(
            _POLARITIES,
            "What focus looks like: greatest contrast (stained, fluorescent) or least contrast (transparent)",
        )
        self.find_button = button("Find best focus", "Measure every plane and judge the focus curve")
        self.cancel_button = button("Cancel", "Stop measuring after the plane it is at")
        self.progress = QProgressBar()
        self.progress.setFormat("plane %v of %m")
        self.plot = FocusCurvePlot(theme, clickable=True)
        self.plot.setToolTip("Sharpness of each plane over z (µm); click to go to a plane")
        self.message, self.reasons = Message(theme), Message(theme)
        self.go_button = button("Go to best plane", "Show the plane nearest to the best focus")
        self.patches_check = QCheckBox("Show patches")
        self.patches_check.setToolTip("Colour each trusted patch by how far its best focus lies from the field's, µm")
        self.patches_check.setChecked(True)
        self.legend = Legend(DIVERGING, theme)
        self.legend.setToolTip("Best focus of a patch from the field's, µm: blue lies lower in z, orange higher")
        self.legend.hide()
        self._arrange()

    def _arrange(self) -> None:
        column = scrolled(self)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Stack", self.layer_box)
        form.addRow("Plane", self.z_label)
        form.addRow("z step", self.step_box)
        form.addRow("Patch", self.patch_box)
        form.addRow("Focus is", self.polarity_box)
        self._form = form
        column.addLayout(form)
        column.addLayout(row(self.find_button, self.cancel_button))
        column.addWidget(self.progress)
        column.addWidget(self.message)
        column.addWidget(self.plot, 1)
        column.addLayout(row(self.go_button, self.patches_check, 1, self.legend))
        column.addWidget(self.reasons)
        self.progress.hide()
        self._set_running(False)

    def _connect(self) -> None:
        self.find_button.clicked.connect(self._on_find_clicked)
        self.cancel_button.clicked.connect(self._on_cancel_clicked)
        self.go_button.clicked.connect(self._on_go_clicked)
        self.patches_check.toggled.connect(self._on_patches_toggled)
        self.layer_box.currentIndexChanged.connect(self._on_layer_chosen)
        self.step_box.valueChanged.connect(self._on_point_changed)
        self.plot.z_clicked.connect(self._on_z_clicked)
        viewer = self._viewer
        connect_while_alive(
            self,
            [
                (viewer.layers.events.inserted, self._on_layers_changed),
                (viewer.layers.events.removed, self._on_layers_changed),
                (viewer.layers.selection.events.active, self._on_active_changed),
                (viewer.dims.events.point, self._on_point_changed),
                (viewer.events.theme, self._on_theme_changed),
            ],
        )

    @property
    def result(self) -> StackFocus | None:
        """What the last run found; None before, and after another stack was chosen."""
        return self._result[1] if self._result else None

    @property
    def is_running(self) -> bool:
        """Whether a stack is being measured."""
        return self._job is not None

    # which stack

    @property
    def layer(self) -> Image | None:
        """The stack that is chosen."""
        chosen = self.layer_box.currentData()
        return chosen if chosen in self._viewer.layers else None

    def _on_layers_changed(self, *_: object) -> None:
        stacks = [layer for layer in self._viewer.layers if stack_layer.is_stack(layer)]
        refill(self.layer_box, [(layer.name, layer) for layer in stacks], self.layer_box.currentData())
        self._on_layer_chosen()

    def _on_active_changed(self, *_: object) -> None:
        active = self._viewer.layers.selection.active
        for index in range(self.layer_box.count()):
            if self.layer_box.itemData(index) is active:
                self.layer_box.setCurrentIndex(index)

    def _on_layer_chosen(self, *_: object) -> None:
        layer = self.layer
        self.find_button.setEnabled(layer is not None and self._job is None)
        self._form.setRowVisible(self.step_box, layer is not None and stack_layer.z_positions_um(layer) is None)
        if self._result is not None and self._result[0] is not layer:
            self._forget()
        self._on_point_changed()

    def _on_point_changed(self, *_: object) -> None:
        layer = self.layer
        if layer is None:
            self.z_label.setText("open a z-stack: drop a file on the canvas")
            return
        index = stack_layer.plane_shown(self._viewer, layer)
        z_um = self._z_um(layer)[index]
        self.z_label.setText(f"z = {plain_um(z_um)}, {index + 1} of {len(self._z_um(layer))}")
        self.plot.set_marker(z_um)

    def _z_um(self, layer: Image) -> list[float]:
        return list(stack_layer.z_positions_um(layer, self.step_box.value()))

    # measuring

    def _on_find_clicked(self) -> None:
        layer = self.layer
        if layer is None:
            return
        self._forget()
        try:
            stack = stack_layer.stack_of(layer, self.step_box.value())
        except AutofocusError as error:
            self.message.fail(error)
            return
        self._start(layer, measure_stack(stack, self._settings(stack)), len(stack))

    def _settings(self, stack: ZStack) -> FocusSettings:
        patch_px = self.patch_box.currentData() or stack_layer.fitting_patch_px(stack.field_shape)
        return FocusSettings(polarity=self.polarity_box.currentData(), patch_px=patch_px)

    def _start(self, layer: Image, work: Generator[PlaneDone, None, StackFocus], planes: int) -> None:
        self.progress.setRange(0, planes)
        self.progress.setValue(0)
        self._measured = layer
        self._job = self._session.analysis.run(
            work, step=self._on_plane_done, done=self._on_measured, failed=self.message.fail, ended=self._on_ended
        )
        self._set_running(True)

    def _on_plane_done(self, step: PlaneDone) -> None:
        self.progress.setValue(step.done)

    def _on_cancel_clicked(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _on_ended(self) -> None:
        self._job = None
        self._set_running(False)

    def _set_running(self, running: bool) -> None:
        self.progress.setVisible(running)
        self.find_button.setEnabled(not running and self.layer is not None)
        self.cancel_button.setEnabled(running)
        self.layer_box.setEnabled(not running)
        self.go_button.setEnabled(not running and self._best_um() is not None)

    # the result

    def _on_measured(self, focus: StackFocus) -> None:
        self._result = (self._measured, focus)
        self.plot.set_curve(list(focus.field.z_um), list(focus.field.sharpness))
        trusted = focus.field.trusted
        self.plot.set_peak(focus.field.best_z_um if trusted else None, focus.field.uncertainty_um)
        self.message.say(stack_sentence(focus), "good" if trusted else "warning")
        self.reasons.say(f"{curve_reasons(focus.field)}\n{patches_sentence(focus)}".strip())
        self._on_patches_toggled(self.patches_check.isChecked())

    def _forget(self) -> None:
        self._result = None
        self.plot.clear()
        self.message.say("")
        self.reasons.say("")
        self.go_button.setEnabled(False)
        self.legend.hide()
        stack_layer.hide_patches(self._viewer)

    def _best_um(self) -> float | None:
        return stack_layer.centre_um(self._result[1]) if self._result else None

    def _on_go_clicked(self) -> None:
        best_um = self._best_um()
        if best_um is not None:
            self._on_z_clicked(best_um)

    def _on_z_clicked(self, z_um: float) -> None:
        layer = self.layer
        if layer is not None:
            stack_layer.show_plane(self._viewer, layer, stack_layer.nearest_plane(layer, z_um, self.step_box.value()))

    def _on_patches_toggled(self, wanted: bool) -> None:
        if wanted and self._result is not None and self._result[0] in self._viewer.layers:
            overlay = stack_layer.show_patches(self._viewer, *self._result)
            self.legend.set_reach(float(overlay.contrast_limits[1]), "µm")
            self.legend.show()
        else:
            self.legend.hide()
            stack_layer.hide_patches(self._viewer)

    def _on_theme_changed(self, *_: object) -> None:
        for part in (self.plot, self.message, self.reasons, self.legend):
            part.set_theme(self._viewer.theme)
