"""The edge between pymmcore and this project: what a device raises or leaves undone becomes a HardwareError."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from psygnal import EmitLoopError
from pymmcore_plus import CMMCorePlus
from pymmcore_plus.mda import MDARunner

from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.microscope.protocol import Clock

POLL_S = 0.005

# MMCore raises RuntimeError; Python devices raise whatever they like, the ring buffer an IndexError, and an event
# whatever its worst listener does.
DEVICE_ERRORS = (RuntimeError, OSError, ValueError, LookupError, BufferError, ArithmeticError, EmitLoopError)


@contextmanager
def translated(what: str, error: type[HardwareError] = HardwareError) -> Iterator[None]:
    """Turn what a device raises into ``error``.

    Parameters
    ----------
    what : str
        The sentence's beginning: ``The camera Cam took no frame``.
    error : type
        The class to raise.
    """
    try:
        yield
    except DEVICE_ERRORS as found:
        reason = " ".join(str(found).split()).rstrip(".") or type(found).__name__
        raise error(f"{what}: {reason}. Check the device, its cable and its power, then try again.") from found


def connect_directly(source: CMMCorePlus | MDARunner, event: str, slot: Callable[..., None]) -> None:
    """Connect a slot that runs in the thread that reports an event of the core, before the report returns.

    Beside a QApplication the core's events are Qt signals, which by default wait for the event loop of the thread that
    connected them: our own moves would be reported long after, and look like somebody else's.
    """
    signal: Any = getattr(source.events, event)
    qt_core = _qt_of(source.events)
    if qt_core is not None:
        signal.connect(slot, type=qt_core.Qt.ConnectionType.DirectConnection)
    else:
        signal.connect(slot)


def send_to_main_thread(events: object) -> None:
    """Let Qt signals made in this thread belong to the application's, so that plain functions are called there.

    A core may be made in a thread that ends soon, whose event loop would never deliver anything. Other signals stay as
    they are.
    """
    qt_core = _qt_of(events)
    application = qt_core and qt_core.QCoreApplication.instance()
    if application:
        signals: Any = events
        signals.moveToThread(application.thread())


def _qt_of(events: object) -> Any:
    """Qt, where these are its signals; None otherwise."""
    qt_core = sys.modules.get("qtpy.QtCore")
    return qt_core if qt_core is not None and isinstance(events, qt_core.QObject) else None


def require_positive(**values: float) -> None:
    """Raise InputError unless each is a finite number above zero: a NaN would never compare, and wait for ever."""
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} of a drive must be a positive number; found {value}.")


def wait_until_idle(core: CMMCorePlus, label: str, clock: Clock, timeout_s: float) -> None:
    """Return when the device is no longer busy. Raises HardwareError after the time-out."""
    deadline_s = clock.now_s() + timeout_s
    while _is_busy(core, label):
        if clock.now_s() > deadline_s:
            raise HardwareError(f"{label} is still busy after {timeout_s:g} s; check whether it is blocked.")
        clock.sleep(POLL_S)


def _is_busy(core: CMMCorePlus, label: str) -> bool:
    with translated(f"{label} does not say whether it is busy"):
        return bool(core.deviceBusy(label))
