"""Leave a core as it was found: channel, exposure, region of interest and shutter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pymmcore_plus import CMMCorePlus, DeviceType

from napari_autofocus.microscope.edge import translated

_STAGES = (DeviceType.Stage, DeviceType.XYStage)


@contextmanager
def state_restored(core: CMMCorePlus, drive: str = "") -> Iterator[None]:
    """Put channel, exposure, region of interest and shutter back on leaving, each even where another one fails.

    Parameters
    ----------
    core : CMMCorePlus
        Any core.
    drive : str
        The device that focuses. A tunable lens may be part of a channel, and is left where its drive puts it.
    """
    with ExitStack() as stack:
        for what, keep in _KEPT.items():
            with translated(f"The {what} could not be read"):
                put_back = keep(core, drive)
            stack.callback(_put_back, what, put_back)
        yield


def _put_back(what: str, put_back: Callable[[], None]) -> None:
    with translated(f"The {what} could not be put back"):
        put_back()


def _shutter(core: CMMCorePlus, _: str) -> Callable[[], None]:
    shutter = core.getShutterDevice()
    automatic = core.getAutoShutter()
    was_open = core.getShutterOpen() if shutter else False

    def put_back() -> None:
        if core.getAutoShutter() != automatic:
            core.setAutoShutter(automatic)
        if shutter and core.getShutterOpen() != was_open:
            core.setShutterOpen(was_open)

    return put_back


def _roi(core: CMMCorePlus, _: str) -> Callable[[], None]:
    before = list(core.getROI())

    def put_back() -> None:
        if list(core.getROI()) != before:
            core.clearROI()
        if list(core.getROI()) != before:
            core.setROI(*before)

    return put_back


def _exposure(core: CMMCorePlus, _: str) -> Callable[[], None]:
    before_ms = core.getExposure()

    def put_back() -> None:
        if core.getExposure() != before_ms:
            core.setExposure(before_ms)

    return put_back


def _channel(core: CMMCorePlus, drive: str) -> Callable[[], None]:
    """By property, since a channel may have been in none of its presets.

    A channel may also name the place of a stage; stages are moved by their drives, inside their limits, or not at all.
    """
    group = core.getChannelGroup()
    state = list(core.getConfigGroupState(group)) if group else []
    kept = [setting for setting in state if setting[0] != drive]
    before = [setting for setting in kept if core.getDeviceType(setting[0]) not in _STAGES]

    def put_back_one(device: str, name: str, value: str) -> None:
        if str(core.getProperty(device, name)) != str(value):
            core.setProperty(device, name, value)
            core.waitForDevice(device)

    def put_back() -> None:
        with ExitStack() as stack:
            for setting in reversed(before):  # A stack calls back in the opposite order.
                stack.callback(put_back_one, *setting)

    return put_back


# Put back in the opposite order: the channel first, since it may set exposure or shutter, and the shutter last.
_KEPT: dict[str, Callable[[CMMCorePlus, str], Callable[[], None]]] = {
    "shutter": _shutter,
    "region of interest": _roi,
    "exposure": _exposure,
    "channel": _channel,
}
