"""What other people say of the stacks of a folder meanwhile: looked for now and then, beside the GUI."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_autofocus.widgets.worker import Worker
from napari_autofocus.workflows.labels.desk import LabellingDesk

_LOOK_MS = 3000


class Others(QObject):
    """Looks at the folder that is open, and tells of labels that have come.

    Signals: ``found`` (paths whose labels are others now) and ``failed`` (an error).

    Parameters
    ----------
    worker : Worker
        Does the looking; while it is busy nothing is looked for.
    parent : QObject
        With which this goes.
    """

    found = Signal(object)
    failed = Signal(object)

    def __init__(self, worker: Worker, parent: QObject) -> None:
        super().__init__(parent)
        self._worker = worker
        self._desk: LabellingDesk | None = None
        self._looking = False
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)

    def watch(self, desk: LabellingDesk) -> None:
        """Look at this folder from now on."""
        self._desk = desk
        self._timer.start()

    def rest(self) -> None:
        """Look at none."""
        self._timer.stop()
        self._desk = None

    def look(self) -> None:
        """See now what others have said."""
        desk = self._desk
        if desk is None or self._looking or self._worker.busy:
            return
        self._looking = True
        self._worker.call(desk.refresh, done=self._on_looked, failed=self.failed, ended=self._on_ended)

    def _on_looked(self, paths: Any) -> None:
        if paths and self._desk is not None:
            self.found.emit(tuple(paths))

    def _on_ended(self) -> None:
        self._looking = False
