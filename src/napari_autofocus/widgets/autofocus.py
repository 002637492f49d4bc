"""The Autofocus panel: a model, an image, what the model sees in it, and a Refocus button that can be undone."""

from __future__ import annotations

from pathlib import Path

import napari.viewer
from qtpy.QtCore import QMimeData, QSize, QTimer
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QStackedWidget, QWidget

from napari_autofocus.records import FocusRecord
from napari_autofocus.widgets.estimate.estimating import LiveEstimator
from napari_autofocus.widgets.estimate.history import HistoryPlot
from napari_autofocus.widgets.estimate.image_choice import ImageChoice
from napari_autofocus.widgets.estimate.model_choice import SUFFIX, ModelChoice
from napari_autofocus.widgets.estimate.readout import Readout
from napari_autofocus.widgets.focus_state import Estimated
from napari_autofocus.widgets.hold.tab import HoldSection
from napari_autofocus.widgets.overlay.region import RegionTool
from napari_autofocus.widgets.overlay.switches import OverlaySwitches
from napari_autofocus.widgets.overlays import FocusOverlays
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import Message, connect_while_alive, scrolled
from napari_autofocus.widgets.parts.tabs import SnugTabs
from napari_autofocus.widgets.plots import FocusCurvePlot
from napari_autofocus.widgets.refocus.tab import RefocusSection
from napari_autofocus.widgets.refocus.two_shots_row import TwoShotsRow
from napari_autofocus.widgets.runs import RunsTable
from napari_autofocus.widgets.session import Session


class AutofocusPanel(QWidget):
    """Shows how far out of focus what the camera or a layer shows is, and brings the microscope into focus."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._state = self._session.focus
        self._viewer = self._session.viewer
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self.setAcceptDrops(True)

    def _build(self, theme: str) -> None:
        session = self._session
        # No children of this widget: they have work to undo in the viewer when it goes.
        self.estimator = LiveEstimator(session)
        overlays = FocusOverlays(self._viewer, self._state)
        region = RegionTool(self._viewer, self._state)
        self.model = ModelChoice(session, theme)
        self.image = ImageChoice(session, self.estimator, theme)
        self.two_shots = TwoShotsRow(session, self.estimator)
        self.readout = Readout(self._state, theme)
        self.show_row = OverlaySwitches(overlays, region, theme)
        self.history = HistoryPlot(theme)
        self.refocusing = RefocusSection(session, theme)
        self.holding = HoldSection(session, theme)
        self.runs = RunsTable(session, session.runs)
        leave = _Leaving(self.estimator, overlays, region)
        # Not at once: napari crashes if layers go while Qt is in the middle of deleting a widget.
        self.destroyed.connect(lambda: QTimer.singleShot(0, leave))
        connect_while_alive(self, [(session.closing, leave)])

    def _arrange(self) -> None:
        self.plots = _Plots()
        self.plots.addWidget(self.history)
        self.plots.addWidget(self.refocusing.plot)
        self.tabs = SnugTabs()
        for part, name, tip in (
            (self.refocusing, "Refocus", "Bring the field into focus, once"),
            (self.holding, "Hold", "Keep the field in focus over time"),
            (self.runs, "Runs", "What every run did, to look at and to export"),
        ):
            part.setContentsMargins(6, 0, 6, 4)
            self.tabs.add(part, name, tip)
        column = scrolled(self)
        for part in (self.model, self.image, self.two_shots, self.readout, self.show_row):
            column.addWidget(part)
        column.addWidget(self.plots, 1)
        column.addWidget(self.tabs, 0)

    def _connect(self) -> None:
        self.refocusing.curve_wanted.connect(self._on_curve_wanted)
        self.two_shots.taken.connect(self.refocusing.take_two)
        self.estimator.source_changed.connect(self._on_source_changed)
        self.tabs.currentChanged.connect(self._on_tab_changed)
        self.holding.finished.connect(self._session.runs.add)
        self._on_curve_wanted(False)
        self._on_model_changed(self._state.chosen)
        self._on_tab_changed(0)
        connect_while_alive(
            self,
            [
                (self._state.estimated, self._on_estimated),
                (self._state.refused, self._on_refused),
                (self._state.model_changed, self._on_model_changed),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # what others press and read

    @property
    def message(self) -> Message:
        """What became of the newest run."""
        return self.refocusing.message

    @property
    def record(self) -> FocusRecord | None:
        """The newest run."""
        return self.refocusing.record

    @property
    def plot(self) -> FocusCurvePlot:
        """The focus curve of a sweep."""
        return self.refocusing.plot

    # what happens

    def _on_curve_wanted(self, wanted: bool) -> None:
        self.plots.setCurrentWidget(self.refocusing.plot if wanted else self.history)

    def _on_tab_changed(self, _: int) -> None:
        """The other tabs need the room of the plot, and have plots of their own."""
        self.plots.setVisible(self.tabs.currentWidget() is self.refocusing)

    def _on_source_changed(self, _: object) -> None:
        self.history.clear()

    def _on_estimated(self, estimated: Estimated) -> None:
        estimate = estimated.estimate
        self.history.add(estimate.defocus_um if estimate.trusted else None)

    def _on_refused(self, _: object) -> None:
        self.history.add(None)

    def _on_model_changed(self, model: object) -> None:
        if model is not None:
            self.history.set_dof(model.card.dof_um)  # type: ignore[attr-defined]

    def _on_theme_changed(self, *_: object) -> None:
        above = (self.model, self.image, self.readout, self.show_row, self.history)
        for part in (*above, self.refocusing, self.holding, self.runs):
            part.set_theme(self._viewer.theme)

    # models that are dropped

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped_model(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _dropped_model(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.model.use_file(path)


def _dropped_model(dropped: QMimeData) -> Path | None:
    paths = [Path(url.toLocalFile()) for url in dropped.urls() if url.isLocalFile()]
    return next((path for path in paths if path.suffix.lower() == SUFFIX), None)


class _Plots(QStackedWidget):
    """Plots that ask for little: they take what room is left, and give way before the panel has to scroll."""

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()


class _Leaving:
    """Puts away what a panel has in the viewer, once: when it is destroyed, or the viewer closes."""

    def __init__(self, *parts: LiveEstimator | FocusOverlays | RegionTool) -> None:
        self._parts = parts

    def __call__(self, *_: object) -> None:
        parts, self._parts = self._parts, ()
        for part in parts:
            part.close()
