"""The edge between pymmcore and this project: what a device raises becomes a HardwareError that says what was tried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_autofocus.errors import HardwareError

# MMCore raises RuntimeError; Python devices raise whatever they like, and the ring buffer an IndexError.
DEVICE_ERRORS = (RuntimeError, OSError, ValueError, LookupError, BufferError, ArithmeticError, NotImplementedError)


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
        reason = " ".join(str(found).split()) or type(found).__name__
        raise error(f"{what}: {reason}. Check the device, its cable and its power, then try again.") from found
