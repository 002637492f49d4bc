"""Channels of a core: the groups of presets that its configuration defines, and which preset is set."""

from __future__ import annotations

from dataclasses import dataclass

from pymmcore_plus import CMMCorePlus, DeviceType

from napari_autofocus.errors import InputError, MoveRefused
from napari_autofocus.microscope.edge import translated
from napari_autofocus.microscope.mmcore import CoreMicroscope

_STAGES = (DeviceType.Stage, DeviceType.XYStage)


@dataclass(frozen=True)
class Channels:
    """What there is to choose from and what is chosen.

    Parameters
    ----------
    groups : tuple of str
        Every group of presets; empty where the configuration defines none.
    group : str
        The one that counts as the channel; empty where none is chosen.
    presets : tuple of str
        Presets of that group.
    preset : str
        The one that is set; empty where the devices agree with none.
    """

    groups: tuple[str, ...] = ()
    group: str = ""
    presets: tuple[str, ...] = ()
    preset: str = ""


def channels(core: CMMCorePlus) -> Channels:
    """The channels as the core last knew them; no device is asked."""
    with translated("The channels could not be read"):
        groups = tuple(core.getAvailableConfigGroups())
        group = core.getChannelGroup()
        if group not in groups:
            return Channels(groups)
        return Channels(groups, group, tuple(core.getAvailableConfigs(group)), core.getCurrentConfigFromCache(group))


def choose_channel_group(microscope: CoreMicroscope, group: str) -> None:
    """Let another group of presets count as the channel. Raises InputError, HardwareError."""
    core = microscope.core
    if group not in core.getAvailableConfigGroups():
        raise InputError(f"The configuration has no group {group!r}; choose one of {_listed(channels(core).groups)}.")
    with translated(f"The channel group {group} could not be chosen"):
        core.setChannelGroup(group)


def set_channel(microscope: CoreMicroscope, preset: str) -> None:
    """Set a preset of the channel group, and wait until its devices rest.

    Raises
    ------
    InputError
        There is no such preset.
    MoveRefused
        The preset moves a stage, which is left to the stage controls and their limits. Nothing has been set.
    HardwareError
        A device failed.
    """
    core, found = microscope.core, channels(microscope.core)
    if preset not in found.presets:
        raise InputError(f"The group {found.group!r} has no preset {preset!r}; choose one of {_listed(found.presets)}.")
    _require_no_drive(microscope, found.group, preset)
    with translated(f"The channel {preset} could not be set"):
        core.setConfig(found.group, preset)
        core.waitForConfig(found.group, preset)


def _require_no_drive(microscope: CoreMicroscope, group: str, preset: str) -> None:
    core = microscope.core
    loaded = set(core.getLoadedDevices())
    settings = list(core.getConfigData(group, preset))
    for device in dict.fromkeys(setting[0] for setting in settings):
        if device == microscope.focus.label or (device in loaded and core.getDeviceType(device) in _STAGES):
            raise MoveRefused(
                f"The preset {preset} of {group} moves the stage {device}, past the limits that hold here; move it with"
                " the stage controls, and take it out of the preset."
            )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
