"""Recovering beside the GUI: one pair at a time, told while it runs, cancelled between tiles. No controls."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from qtpy.QtCore import QObject, Signal

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.refocuser import TileDone, VirtualImage, VirtualRefocuser
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.focus_state import Seen
from napari_autofocus.widgets.virtual.pair import Pair
from napari_autofocus.widgets.worker import Job, Worker


@dataclass(frozen=True, eq=False)
class Recovered:
    """A recovered image and what it was made of.

    Parameters
    ----------
    pair : Pair
        The shots as they were chosen.
    seen : tuple of Seen
        The shots with their pixels.
    image : VirtualImage
        What came of them.
    fingerprint : str
        Of the model.
    objective : Objective or None
        That the shots were taken with.
    """

    pair: Pair
    seen: tuple[Seen, Seen]
    image: VirtualImage
    fingerprint: str
    objective: Objective | None = None

    @property
    def sharper(self) -> Seen:
        """The sharper of the two shots."""
        return self.seen[self.image.sharper]


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be recovered, by which model, with the settings as they were when it was asked for."""

    pair: Pair
    refocuser: VirtualRefocuser
    optics: ImageOptics | None
    insist: bool


class RefocusWork(QObject):
    """Recovers one pair at a time; each ends with ``ended`` (Recovered), ``failed`` (an error) or ``cancelled``.

    Parameters
    ----------
    worker : Worker
        Where it runs.
    """

    stepped = Signal(object)
    ended = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker
        self._job: Job | None = None

    @property
    def is_running(self) -> bool:
        """Whether a pair is being recovered."""
        return self._job is not None

    def start(self, order: Order) -> None:
        """Recover a pair, unless another is on its way."""
        if self._job is None:
            self._job = self._worker.run(
                recovering(order),
                step=self.stepped,
                done=self._on_done,
                failed=self._on_failed,
                cancelled=self._on_cancelled,
            )

    def cancel(self) -> None:
        """Stop after the tile it is at."""
        if self._job is not None:
            self._job.cancel()

    def _on_done(self, recovered: Recovered) -> None:
        self._job = None
        self.ended.emit(recovered)

    def _on_failed(self, error: AutofocusError) -> None:
        self._job = None
        self.failed.emit(error)

    def _on_cancelled(self) -> None:
        self._job = None
        self.cancelled.emit()


class Leaving:
    """Called when the panel is gone: nobody waits for the work any more."""

    def __init__(self, work: RefocusWork) -> None:
        self._work = work

    def __call__(self, *_: object) -> None:
        self._work.cancel()


def recovering(order: Order) -> Generator[TileDone, None, Recovered]:
    """Read both shots and recover; runs beside the GUI. Raises InputError where either cannot be done."""
    yield TileDone(0, 0)
    first, second = (shot.plane.read() for shot in order.pair.shots)
    depths = {shot.bit_depth for shot in (first, second) if shot.bit_depth is not None}
    image = yield from order.refocuser.refocus(
        first.image,
        second.image,
        optics=order.optics,
        insist=order.insist,
        bit_depth=max(depths, default=None),
    )
    lens = None if order.optics is None else order.optics.objective
    return Recovered(order.pair, (first, second), image, order.refocuser.fingerprint, lens)


def require_ready(model: VirtualRefocuser | None) -> VirtualRefocuser:
    """The model. Raises InputError where there is none."""
    if model is None:
        raise InputError("Choose a model first: one that recovers images from two shots.")
    return model
