"""The stack at hand: the plane shown, the focus curve with its lines, its patches. Says nothing, and stores nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_autofocus.focus.zstack import PatchFocus, StackFocus
from napari_autofocus.widgets.label.curve import LabelCurve
from napari_autofocus.widgets.label.patches import PatchPicking
from napari_autofocus.widgets.label.said import Said, with_said
from napari_autofocus.widgets.layers import stack_layer
from napari_autofocus.widgets.overlay.legend import Legend
from napari_autofocus.widgets.parts.colours import DIVERGING
from napari_autofocus.widgets.parts.forms import Message, button, connect_while_alive, label, row
from napari_autofocus.widgets.parts.sentences import VERDICTS, curve_reasons, patches_sentence, plain_um


class StackView(QWidget):
    """Shows where a stack is sharp, and steps through it.

    Signals: ``dragged`` (z in µm: the field's line was moved), ``patch_dragged`` (corner, z in µm), ``patch_changed``
    (the patch whose curve is shown, or None for the field's).

    Parameters
    ----------
    viewer : ViewerModel
        Where the stack is shown.

    Attributes
    ----------
    brief : bool
        Whether the reasons of a verdict are told only where a curve cannot be trusted.
    """

    dragged = Signal(float)
    patch_dragged = Signal(object, float)
    patch_changed = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._layer: Image | None = None
        self._z_um: np.ndarray = np.empty(0)
        self._focus: StackFocus | None = None
        self._said = Said()
        self._patch: int | None = None
        self.brief = False
        # No child of this widget: it has work to undo in the viewer when it goes.
        self.picking = PatchPicking(viewer)
        self._build()
        self.plot.z_clicked.connect(self.go_to)
        self.plot.peak_dragged.connect(self._on_dragged)
        self.go_button.clicked.connect(self.go_to_peak)
        self.patches_check.toggled.connect(self._show_patches)
        self.picking.picked.connect(self.pick)
        connect_while_alive(self, [(viewer.dims.events.point, self._on_point_changed)])

    def _build(self) -> None:
        theme = self._viewer.theme
        self.z_label = label("", tip="z of the plane that the slider shows, µm")
        self.plot = LabelCurve(theme)
        self.plot.setToolTip(
            "Sharpness of each plane over z (µm). Click to go to a plane, drag the line to where focus is"
        )
        self.go_button = button("Go to best plane", "Show the plane nearest to the line (J)")
        self.patches_check = QCheckBox("Show patches")
        self.patches_check.setToolTip(
            "Colour each patch by how far its best focus lies from the field's, µm (M); a click on a patch shows its"
            " own curve"
        )
        self.patches_check.setChecked(True)
        self.legend = Legend(DIVERGING, theme)
        self.legend.setToolTip("Best focus of a patch from the field's, µm: blue lies lower in z, orange higher")
        self.legend.hide()
        self.reasons = Message(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.z_label)
        column.addWidget(self.plot, 1)
        column.addLayout(row(self.go_button, self.patches_check, 1, self.legend))
        column.addWidget(self.reasons)

    # what is shown

    @property
    def layer(self) -> Image | None:
        """The layer of the stack at hand."""
        return self._layer if self._layer is not None and self._layer in self._viewer.layers else None

    @property
    def focus(self) -> StackFocus | None:
        """What was measured of it."""
        return self._focus

    @property
    def patch(self) -> PatchFocus | None:
        """The patch whose curve is shown; None while it is the field's."""
        return self._focus.patches[self._patch] if self._focus is not None and self._patch is not None else None

    def show_stack(self, layer: Image | None, z_um: Sequence[float], focus: StackFocus | None, said: Said) -> None:
        """Have another stack at hand."""
        self._layer, self._z_um, self._focus, self._said = layer, np.asarray(z_um, float), focus, said
        self.back()
        self._show()

    def set_focus(self, focus: StackFocus | None) -> None:
        """The same stack has been measured, or is to be measured anew."""
        self._focus = focus
        self.back()
        self._show()

    def set_said(self, said: Said) -> None:
        """Somebody has said something about the same stack."""
        if said != self._said:
            self._said = said
            self._show()

    def _show(self) -> None:
        self._show_curve()
        self._show_patches()
        self._on_point_changed()
        self.go_button.setEnabled(self.best_um is not None)
        if self.patch is None:
            self._show_reasons()

    def _show_reasons(self) -> None:
        focus = self._focus
        if focus is None or (self.brief and focus.field.trusted):
            self.reasons.say("")
        else:
            patches = "" if self.brief else patches_sentence(focus)
            self.reasons.say(f"{curve_reasons(focus.field)}\n{patches}".strip())

    def _show_curve(self) -> None:
        if self._z_um.size:
            self.plot.set_range(float(self._z_um.min()), float(self._z_um.max()))
        focus, patch = self._focus, self.patch
        if focus is None:
            self.plot.clear()
        else:
            values = focus.field.sharpness if self._patch is None else focus.patch_curves[self._patch]
            self.plot.set_curve(list(focus.field.z_um), list(values))
        self._show_lines(patch if patch is not None else focus.field if focus is not None else None)

    def _show_lines(self, found: Any) -> None:
        """The line that can be dragged stands where the annotator says, otherwise where Brenner does."""
        measured = found.best_z_um if found is not None and found.trusted else None
        own = self._said.own_um if self._patch is None else self._patch_said()
        if own is not None:
            self.plot.set_line(own, None, "you" if self._patch is None else "said")
        else:
            self.plot.set_line(measured, found.uncertainty_um if found is not None else None, "")
        others = list(self._said.others) if self._patch is None else []
        if own is not None and measured is not None:
            others.append(("Brenner", measured))
        self.plot.set_others(others)

    def _patch_said(self) -> float | None:
        patch = self.patch
        return None if patch is None else (self._said.patches or {}).get((patch.y, patch.x, patch.size))

    @property
    def best_um(self) -> float | None:
        """Where the line stands, µm; where there is none, the patches' median; None where nobody knows."""
        if self.plot.peak_um is not None:
            return self.plot.peak_um
        return stack_layer.centre_um(self._focus) if self._focus is not None else None

    # planes

    @property
    def plane_um(self) -> float | None:
        """z of the plane that is shown, µm."""
        layer = self.layer
        if layer is None or not self._z_um.size:
            return None
        return float(self._z_um[stack_layer.plane_shown(self._viewer, layer)])

    @property
    def plane_uncertainty_um(self) -> float:
        """What a choice among planes leaves open: the standard deviation over one step, µm."""
        return float(np.median(np.diff(self._z_um))) / math.sqrt(12) if self._z_um.size > 1 else 0.0

    def step(self, by: int) -> None:
        """Show the plane so many planes further up."""
        layer = self.layer
        if layer is not None:
            index = stack_layer.plane_shown(self._viewer, layer) + by
            stack_layer.show_plane(self._viewer, layer, min(max(index, 0), self._z_um.size - 1))

    def go_to(self, z_um: float) -> None:
        """Show the plane nearest to a position, µm."""
        layer = self.layer
        if layer is not None:
            stack_layer.show_plane(self._viewer, layer, int(np.argmin(np.abs(self._z_um - z_um))))

    def go_to_peak(self) -> None:
        """Show the plane nearest to best focus, as far as it is known."""
        if self.best_um is not None:
            self.go_to(self.best_um)

    def _on_point_changed(self, *_: object) -> None:
        z_um = self.plane_um
        self.plot.set_marker(z_um)
        if z_um is not None:
            index = stack_layer.plane_shown(self._viewer, self._layer)
            self.z_label.setText(f"z = {plain_um(z_um)}, {index + 1} of {self._z_um.size}")

    # patches

    def _show_patches(self, *_: object) -> None:
        layer, focus = self.layer, self._focus
        if layer is None or focus is None or not focus.patches or not self.patches_check.isChecked():
            stack_layer.hide_patches(self._viewer)
            self.legend.hide()
            self.picking.offer(None, None)
            return
        overlay = stack_layer.show_patches(self._viewer, layer, with_said(focus, self._said.patches or {}))
        self.legend.set_reach(float(overlay.contrast_limits[1]), "µm")
        self.legend.show()
        self.picking.offer(layer, focus.grid)

    def pick(self, index: int) -> None:
        """Show the curve of a patch in place of the field's."""
        self._patch = index
        self.picking.outline(index)
        self._show_curve()
        patch = self.patch
        self.reasons.say(f"Patch at x {patch.x}, y {patch.y}, {patch.size} px: {VERDICTS[patch.verdict]}.")
        self.patch_changed.emit(patch)

    def pick_next(self) -> None:
        """Show the curve of the next patch that has a focus of its own."""
        if self._focus is None or not self._focus.patches:
            return
        self.patches_check.setChecked(True)
        count, start = len(self._focus.patches), -1 if self._patch is None else self._patch
        order = [(start + 1 + step) % count for step in range(count)]
        self.pick(next((index for index in order if self._focus.patches[index].trusted), order[0]))

    def back(self) -> None:
        """Show the field's curve again."""
        if self._patch is None:
            return
        self._patch = None
        self.picking.outline(None)
        self._show()
        self.patch_changed.emit(None)

    def _on_dragged(self, z_um: float) -> None:
        patch = self.patch
        if patch is None:
            self.dragged.emit(z_um)
        else:
            self.patch_dragged.emit((patch.y, patch.x, patch.size), z_um)

    # others

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        for part in (self.plot, self.reasons, self.legend):
            part.set_theme(theme)
