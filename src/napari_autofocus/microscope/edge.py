"""The edge between pymmcore and this project: what a device raises or leaves undone becomes a HardwareError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymmcore_plus import CMMCorePlus

from napari_autofocus.errors import HardwareError
from napari_autofocus.microscope.protocol import Clock

POLL_S = 0.005

# MMCore raises RuntimeError; Python devices raise whatever they like, and the ring buffer an IndexError.
DEVICE_ERRORS = (RuntimeError, OSError, ValueError, LookupError, BufferError, ArithmeticError)


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
