"""The light to focus in, set for a moment and put back property by property; acquiring where there is no shutter.

A focus channel is not set by ``setConfig``: the core then takes it for the one that is set, and does not set it again
when the next frame asks for it, although it was put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pymmcore_plus import CMMCorePlus, DeviceType

from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.workflows.mda.config import FocusChannel

_STAGES = (DeviceType.Stage, DeviceType.XYStage)
Settings = list[tuple[str, str, str]]


def check_channel(core: CMMCorePlus, channel: FocusChannel | None) -> None:
    """Raises InputError if the core has no such preset, or the preset moves a stage."""
    if channel is None:
        return
    groups = tuple(core.getAvailableConfigGroups())
    if channel.group not in groups:
        raise InputError(
            f"The microscope has no group of presets {channel.group!r} to focus in; it has"
            f" {', '.join(groups) or 'none'}."
        )
    presets = tuple(core.getAvailableConfigs(channel.group))
    if channel.preset not in presets:
        raise InputError(
            f"The group {channel.group} has no preset {channel.preset!r} to focus in; it has {', '.join(presets)}."
        )
    moved = [device for device, _, _ in _settings(core, channel) if core.getDeviceType(device) in _STAGES]
    if moved:
        raise InputError(
            f"The preset {channel.preset} of {channel.group} moves the stage {moved[0]}, past the limits that hold"
            " here; focus in another one, or take the stage out of it."
        )


@contextmanager
def focus_light(core: CMMCorePlus, channel: FocusChannel | None) -> Iterator[None]:
    """Focus channel and its exposure while inside; what they replaced is put back on leaving, whatever happened.

    Raises
    ------
    HardwareError
        If a device refuses it.
    """
    if channel is None:
        yield
        return
    with ExitStack() as put_back:
        try:
            before_ms = core.getExposure()
            wanted = _settings(core, channel)
            for device, name, value in wanted:
                before = core.getProperty(device, name)
                put_back.callback(_set, core, [(device, name, before)])
                _set(core, [(device, name, value)])
            if channel.exposure_ms is not None:
                put_back.callback(core.setExposure, before_ms)
                core.setExposure(channel.exposure_ms)
        except RuntimeError as error:
            raise HardwareError(f"The focus channel {channel.preset} could not be set: {error}") from error
        yield
        _close(put_back, channel)


@contextmanager
def no_shutter_expected(core: CMMCorePlus) -> Iterator[None]:
    """While inside, nobody opens or closes a shutter that is not there; what was set is put back on leaving.

    A core tells of an automatic shutter also where it has none, and pymmcore-plus's engine then fails with
    ``No device with label ""`` at the first frame.
    """
    if core.getShutterDevice() or not core.getAutoShutter():
        yield
        return
    core.setAutoShutter(False)
    try:
        yield
    finally:
        core.setAutoShutter(True)


def _close(put_back: ExitStack, channel: FocusChannel) -> None:
    try:
        put_back.close()
    except RuntimeError as error:
        raise HardwareError(f"The light could not be put back after focusing in {channel.preset}: {error}") from error


def _settings(core: CMMCorePlus, channel: FocusChannel) -> Settings:
    return [(str(one[0]), str(one[1]), str(one[2])) for one in core.getConfigData(channel.group, channel.preset)]


def _set(core: CMMCorePlus, settings: Settings) -> None:
    for device, name, value in settings:
        core.setProperty(device, name, value)
        if device != "Core":
            core.waitForDevice(device)
