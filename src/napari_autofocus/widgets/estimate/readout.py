"""The read-out: how far out of focus the field is, in large, with a gauge, and what the user could do next."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.widgets.estimate.gauge import Gauge, Needle
from napari_autofocus.widgets.estimate.readings import NOTHING, Reading, reading_of, refusal_of
from napari_autofocus.widgets.focus_state import Estimated, FocusState
from napari_autofocus.widgets.parts.forms import Message, connect_while_alive, label, snug
from napari_autofocus.widgets.parts.theme import theme_colours

_HEADLINE_PT = 14
_SPARE_PX = 4


class Readout(QWidget):
    """Shows the newest estimate of a session in words, numbers and a gauge.

    Parameters
    ----------
    state : FocusState
        Whose estimates.
    theme : str
        Id of the napari theme whose colours are used.
    """

    def __init__(self, state: FocusState, theme: str) -> None:
        super().__init__()
        self._state = state
        self._theme = theme
        self.reading: Reading = NOTHING
        self.headline = label(
            "", tip="Defocus with its standard uncertainty, µm; + means sample and objective too close"
        )
        self.detail = label("", tip="Verdict, patches read, and how sure the direction is")
        self.advice = Message(theme)
        self.warnings = Message(theme)
        self.gauge = Gauge(theme)
        self._arrange()
        connect_while_alive(
            self,
            [
                (state.estimated, self._on_estimated),
                (state.refused, self._on_refused),
                (state.cleared, self._on_cleared),
                (state.model_changed, self._on_model_changed),
            ],
        )
        self._on_model_changed(state.model)

    def _arrange(self) -> None:
        snug(self.advice, self.warnings)
        kept = self.advice.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # or everything below jumps whenever a verdict changes
        self.advice.setSizePolicy(kept)
        self.advice.setMinimumHeight(self.advice.fontMetrics().height() + _SPARE_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(1)
        for part in (self.headline, self.detail, self.gauge, self.advice, self.warnings):
            layout.addWidget(part)

    # what there is to show

    def _on_model_changed(self, model: object) -> None:
        if model is not None:
            self.gauge.set_scale(model.card.range_um, model.card.dof_um)  # type: ignore[attr-defined]
        if self._state.newest is not None:
            self._on_estimated(self._state.newest)
        else:
            self._on_cleared()

    def _on_estimated(self, estimated: Estimated) -> None:
        model = self._state.chosen
        if model is None:
            return
        estimate = estimated.estimate
        self._say(reading_of(estimate, model.card))
        self.detail.setToolTip("\n".join(estimate.reasons))
        self.warnings.say("\n".join(estimate.warnings), "warning")
        self.gauge.show_needle(needle_of(estimate))

    def _on_refused(self, error: Exception) -> None:
        self._say(refusal_of(error))
        self.warnings.say("")
        self.gauge.show_needle(None)

    def _on_cleared(self, *_: object) -> None:
        self._say(NOTHING)
        self.warnings.say("")
        self.gauge.show_needle(None)

    def _say(self, reading: Reading) -> None:
        """Change only what is different: a wrapped line that is set anew lays the whole panel out again."""
        before, self.reading = self.reading, reading
        if self.headline.text() != reading.headline:
            self.headline.setText(reading.headline)
        if self.detail.text() != reading.detail:
            self.detail.setText(reading.detail)
        if self.advice.text() != reading.advice:
            self.advice.say(reading.advice)
        if before.tone != reading.tone or not self.headline.styleSheet():
            self._dress()

    def _dress(self) -> None:
        colours = theme_colours(self._theme)
        shades = {"good": colours.good, "plain": colours.text, "warning": colours.warning, "error": colours.error}
        self.headline.setStyleSheet(
            f"QLabel {{ font-size: {_HEADLINE_PT}pt; font-weight: bold; color: {shades[self.reading.tone]}; }}"
        )

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self._theme = theme
        for part in (self.gauge, self.advice, self.warnings):
            part.set_theme(theme)
        self._dress()


def needle_of(estimate: FocusEstimate) -> Needle | None:
    """Where the gauge points; nowhere without a number."""
    value = estimate.defocus_um
    if value is None:
        return None
    if estimate.verdict == "uneven" and estimate.scan_um is not None:
        return Needle(value, *estimate.scan_um, sure=False)
    low, high = estimate.interval90_um or (value, value)
    return Needle(value, low, high, sure=estimate.trusted)
