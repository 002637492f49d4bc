"""Where time comes from: the wall clock beside hardware, a virtual one in tests and simulated surveys."""

from __future__ import annotations

import threading
import time


class WallClock:
    """Real time. Fulfils :class:`~napari_autofocus.microscope.protocol.Clock`."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that long; zero or less returns at once."""
        if seconds > 0:
            time.sleep(seconds)


class VirtualClock:
    """Time that passes only when somebody sleeps, so that simulated seconds are exact and cost nothing.

    Only for simulated devices that live by the same clock: real hardware does not wait for it.

    Parameters
    ----------
    start_s : float
        The first reading.
    """

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s
        self._lock = threading.Lock()

    def now_s(self) -> float:
        """Seconds slept so far, plus the start."""
        return self._now_s

    def sleep(self, seconds: float) -> None:
        """Advance by that many seconds; zero or less does nothing."""
        if seconds > 0:
            with self._lock:
                self._now_s += seconds
