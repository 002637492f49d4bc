"""What a microscope says of itself at one moment, and whether it is still there to say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_autofocus.errors import HardwareError
from napari_autofocus.microscope.channels import Channels, channels
from napari_autofocus.microscope.controls import exposure_ms, reported_z_um
from napari_autofocus.microscope.edge import translated
from napari_autofocus.microscope.mmcore import CoreMicroscope

_NEWS = ("configSet", "channelGroupChanged", "pixelSizeChanged", "exposureChanged", "XYStagePositionChanged")


class DevicesGone(HardwareError):
    """A device that the microscope was made of is no longer loaded; only connecting again helps."""


@dataclass(frozen=True)
class MicroscopeState:
    """What is shown of a microscope.

    Parameters
    ----------
    z_um, x_um, y_um : float
        Positions as the hardware reports them, µm; NaN for an XY stage that is not there.
    limits_um : tuple of float
        Lowest and highest position of the focus drive, µm.
    focus_direction : int
        +1, −1, or 0 where the core does not know.
    exposure_ms : float
        Exposure time.
    pixel_size_um : float
        Size of a pixel in the sample, µm; 0 where the core does not know.
    streams : bool
        Whether the camera is in live mode, whoever started it.
    channels : Channels
        Channels and which is set.
    """

    z_um: float
    x_um: float
    y_um: float
    limits_um: tuple[float, float]
    focus_direction: int
    exposure_ms: float
    pixel_size_um: float
    streams: bool
    channels: Channels


def look_at(microscope: CoreMicroscope) -> MicroscopeState:
    """The state now. Raises DevicesGone, or HardwareError where a device does not answer."""
    require_loaded(microscope)
    with translated("The size of a pixel could not be read"):
        pixel_size_um = float(microscope.core.getPixelSizeUm())
    return MicroscopeState(
        reported_z_um(microscope),
        *microscope.xy_um(),
        microscope.focus.limits_um,
        microscope.focus.focus_direction,
        exposure_ms(microscope),
        pixel_size_um,
        microscope.live.is_running(),
        channels(microscope.core),
    )


def require_loaded(microscope: CoreMicroscope) -> None:
    """Raise DevicesGone if the camera or the focus drive has been unloaded, by another program for instance."""
    core, drive = microscope.core, microscope.focus.label
    with translated("The core does not tell its devices"):
        loaded, camera = set(core.getLoadedDevices()), core.getCameraDevice()
    gone = [f"the focus drive {drive}"] * (drive not in loaded) + ["the camera"] * (camera not in loaded or not camera)
    if gone:
        raise DevicesGone(f"There is no more sign of {' and '.join(gone)}: unplugged or unloaded; connect again.")


def on_core_news(
    microscope: CoreMicroscope, changed: Callable[[], object], reloaded: Callable[[], object]
) -> Callable[[], None]:
    """Tell of what others do with the core, in whatever thread it is reported.

    Parameters
    ----------
    microscope : CoreMicroscope
        Whose core.
    changed : callable
        Told when a setting that :func:`look_at` reads has changed.
    reloaded : callable
        Told when a configuration has been loaded, or everything unloaded.

    Returns
    -------
    callable
        Ends it.
    """
    events: Any = microscope.core.events

    def on_change(*_: object) -> None:
        changed()

    def on_reload(*_: object) -> None:
        reloaded()

    pairs = [(getattr(events, name), on_change) for name in _NEWS] + [(events.systemConfigurationLoaded, on_reload)]
    for signal, slot in pairs:
        signal.connect(slot)

    def end() -> None:
        for signal, slot in pairs:
            signal.disconnect(slot)

    return end
