"""A single stack that is open in napari, without a folder: measured and looked at; labels are kept once it has one."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QObject

from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.zstack import StackFocus, measure_stack
from napari_autofocus.labelling.opinions import Opinion
from napari_autofocus.widgets.label.measure import MeasureSection
from napari_autofocus.widgets.label.said import Said
from napari_autofocus.widgets.label.source import SourceSection, file_of
from napari_autofocus.widgets.label.view import StackView
from napari_autofocus.widgets.label.words import opinion_words
from napari_autofocus.widgets.layers import stack_layer
from napari_autofocus.widgets.parts.forms import Message
from napari_autofocus.widgets.parts.sentences import stack_sentence

_OPEN_ONE = "open a z-stack: drop a file on the canvas"


class SingleStack(QObject):
    """Measures the layer that is chosen, and remembers what was said until it can be stored.

    Parameters
    ----------
    viewer : ViewerModel
        Where it is shown.
    source, measure, view, message
        Parts of the panel.
    """

    def __init__(
        self, viewer: ViewerModel, source: SourceSection, measure: MeasureSection, view: StackView, message: Message
    ) -> None:
        super().__init__(view)
        self._viewer, self._source, self._measure, self._view, self._message = viewer, source, measure, view, message
        self._layer: Image | None = None
        self._measured: Image | None = None
        self.result: StackFocus | None = None
        self.opinion: Opinion | None = None

    def take(self) -> None:
        """Have the layer that is chosen at hand."""
        layer = self._source.layer
        self._measure.offer(this=layer is not None, all_open=False)
        bare = layer is not None and stack_layer.z_positions_um(layer) is None
        self._measure.form.setRowVisible(self._measure.step_box, bare)
        if bare and not self._measure.fold.isExpanded():
            self._measure.fold.expand(animate=False)
        if layer is not self._layer:
            self._layer, self.opinion, self.result = layer, None, None
            self._message.say("")
        self._show()

    def _show(self) -> None:
        layer = self._layer
        own_um = self.opinion.best_z_um if self.opinion is not None else None
        self._view.show_stack(layer, [] if layer is None else self._z_um(layer), self.result, Said(own_um))
        if layer is None:
            self._view.z_label.setText(_OPEN_ONE)

    def _z_um(self, layer: Image) -> list[float]:
        return list(stack_layer.z_positions_um(layer, self._measure.step_box.value()))

    def on_step_changed(self) -> None:
        """The user says another distance of planes: what was measured with the last one counts no more."""
        if self._layer is not None and stack_layer.z_positions_um(self._layer) is None:
            self.opinion = self.result = None
            self._show()

    # measuring

    def find(self) -> None:
        """Measure the stack."""
        layer = self._layer
        if layer is None:
            return
        self.result = None
        self._message.say("")
        self._show()
        try:
            stack = stack_layer.stack_of(layer, self._measure.step_box.value())
        except AutofocusError as error:
            self._message.fail(error)
            return
        self._measured = layer
        settings = self._measure.settings(stack_layer.fitting_patch_px(stack.field_shape))
        self._measure.run(measure_stack(stack, settings), len(stack))

    def on_measured(self, focus: StackFocus) -> None:
        """Show what was found, unless another stack is at hand by now."""
        if self._measured is not self._layer:
            return
        self.result = focus
        self._view.set_focus(focus)
        self._message.say(stack_sentence(focus), "good" if focus.field.trusted else "warning")

    # what is said

    def say(self, opinion: Opinion) -> None:
        """Remember what the user says, and tell how it can be kept."""
        layer = self._layer
        if layer is None:
            return
        self.opinion = opinion
        self._view.set_said(Said(opinion.best_z_um))
        words = opinion_words(opinion).capitalize()
        if file_of(layer) is None:
            how = "this layer has no file to keep labels beside: save it in a folder, and open that"
        else:
            how = "press Save labels… to keep it"
        self._message.say(f"{words}, not stored yet: {how}.", "warning")
