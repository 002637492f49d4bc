"""Who has a microscope: one run, acquisition or move at a time, and everybody else is told who it is.

A core has one owner, whichever panel, script or thread asks, and however many microscopes were made over it. Reading a
position and halting a drive need no ownership. Programs that command the core directly cannot be asked; their moves are
noticed by ``foreign.py``, and an acquisition that they run (``core.mda``) owns the core for as long as it lasts.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import MicroscopeTaken
from napari_autofocus.microscope.edge import connect_directly

PATIENCE_S = 2.0
"""How long is waited for an owner that will be done in a moment: a single move, a snap, a look of hold focus."""
ACQUISITION = "an acquisition (MDA)"
_POLL_S = 0.05


class Claim:
    """One owner. Fulfils ``Claim`` of ``protocol.py``; used by :class:`Ownership` only, and kept by the owner alone.

    Whoever executes the owner's code may move the stage: its thread while it runs, nobody while a generator rests
    between two steps, and the thread that goes on with it afterwards.
    """

    def __init__(self, ownership: Ownership, who: str, *, brief: bool) -> None:
        self.who = who
        self.brief = brief
        self.since_s = time.monotonic()
        self._ownership = ownership
        self.thread = threading.current_thread()
        self.is_resting = False

    def park(self) -> None:
        """A generator rests between two steps."""
        self.is_resting = True

    def resume(self) -> None:
        """It goes on, perhaps in another thread."""
        self._ownership.carry_on(self)

    @property
    def is_gone(self) -> bool:
        """Whether the thread that worked for this owner has died."""
        if isinstance(self.thread, threading._DummyThread):  # made by Qt or by C++: Python does not hear of its end
            return self.thread.ident not in sys._current_frames()
        return not self.thread.is_alive()

    def may_act(self, thread: threading.Thread) -> bool:
        """Whether this thread executes the owner's code just now."""
        return self.thread is thread and not self.is_resting

    def words(self) -> str:
        """Who it is, for how long and where, as half a sentence."""
        seconds = time.monotonic() - self.since_s
        who = self.who[:1].upper() + self.who[1:]
        return f"{who} has had the microscope for {seconds:.0f} s (thread {self.thread.name})"


class _Inner:
    """A claim inside one of the same owner: it begins and ends nothing."""

    def park(self) -> None: ...

    def resume(self) -> None: ...


class Ownership:
    """The one owner of a core. Ask :meth:`of`.

    Parameters
    ----------
    core : CMMCorePlus
        Whose; it is not kept alive.
    """

    _of_cores: ClassVar[weakref.WeakKeyDictionary[CMMCorePlus, Ownership]] = weakref.WeakKeyDictionary()
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, core: CMMCorePlus) -> None:
        self._core = weakref.ref(core)
        # Only the owner keeps its claim: one that was lost, by Ctrl-C for instance, frees the core.
        self._owner: Callable[[], Claim | None] = _nobody
        self._changed = threading.Condition()
        self._acquisition = ExitStack()
        self._turned_away: list[Callable[[MicroscopeTaken], object]] = []
        connect_directly(core.mda, "sequenceStarted", self._on_acquisition_started)
        connect_directly(core.mda, "sequenceFinished", self._on_acquisition_finished)

    @classmethod
    def of(cls, core: CMMCorePlus) -> Ownership:
        """The ownership of a core, the same for everybody who asks."""
        with cls._making:
            found = cls._of_cores.get(core)
            if found is None:
                found = cls._of_cores[core] = cls(core)
            return found

    @property
    def owner(self) -> str | None:
        """Who has the core now; None for nobody."""
        with self._changed:
            claim = self._standing()
            return None if claim is None else claim.who

    @contextmanager
    def claimed(self, who: str, *, brief: bool = False) -> Iterator[Claim | _Inner]:
        """Own the core inside; within the owner's own code this changes nothing.

        Parameters
        ----------
        who : str
            As others shall be told: ``the survey``.
        brief : bool
            Whether it will be over in a moment, so that others wait for it (:data:`PATIENCE_S`).

        Raises
        ------
        MicroscopeTaken
            Somebody else has it; the message says who. Nothing has moved.
        """
        if self.is_mine():
            yield _Inner()
            return
        claim = Claim(self, who, brief=brief)
        try:
            self._take(claim)
            yield claim
        finally:
            self._drop(claim)

    def is_mine(self) -> bool:
        """Whether the calling code belongs to the owner."""
        with self._changed:
            claim = self._standing()
            return claim is not None and claim.may_act(threading.current_thread())

    def carry_on(self, claim: Claim) -> None:
        """The owner goes on in this thread; one that was given up for dead takes the core again if it is free."""
        with self._changed:
            claim.thread = threading.current_thread()
            claim.is_resting = False
            if self._standing() is None:
                self._owner = weakref.ref(claim)

    def on_turned_away(self, listener: Callable[[MicroscopeTaken], object]) -> Callable[[], None]:
        """Tell of an acquisition that began while somebody else had the core and was cancelled, in its own thread.

        Returns
        -------
        callable
            Ends it.
        """
        self._turned_away.append(listener)
        return lambda: self._turned_away.remove(listener)

    def _take(self, claim: Claim) -> None:
        until_s = time.monotonic() + PATIENCE_S
        with self._changed:
            while (owner := self._standing()) is not None:
                if not owner.brief or time.monotonic() > until_s:
                    raise MicroscopeTaken(
                        f"{owner.words()}; wait until it has ended, or stop it, then start again.",
                        owner.who,
                    )
                self._changed.wait(_POLL_S)
            claim.since_s = time.monotonic()
            self._owner = weakref.ref(claim)

    def _drop(self, claim: Claim) -> None:
        with self._changed:
            if self._owner() is claim:
                self._owner = _nobody
                self._changed.notify_all()

    def _standing(self) -> Claim | None:
        """The owner, unless its thread has died."""
        claim = self._owner()
        return None if claim is None or claim.is_gone else claim

    # acquisitions of any engine

    def _on_acquisition_started(self, *_: object) -> None:
        """In the acquisition's thread, before its first event: it owns the core, or is cancelled before it moves."""
        self._acquisition.close()  # of one that died without telling
        try:
            self._acquisition.enter_context(self.claimed(ACQUISITION))
        except MicroscopeTaken as error:
            core: Any = self._core()
            core.mda.cancel()
            for listener in list(self._turned_away):
                listener(error)

    def _on_acquisition_finished(self, *_: object) -> None:
        self._acquisition.close()


def _nobody() -> None:
    return None
