"""Leave a core as it was found: live mode, channel, exposure, region of interest and shutter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pymmcore_plus import CMMCorePlus

from napari_autofocus.microscope.edge import translated


@contextmanager
def live_paused(core: CMMCorePlus) -> Iterator[None]:
    """Stop a running sequence of frames, and start live mode again on leaving."""
    with translated("The camera does not say whether live mode runs"):
        live = core.isSequenceRunning()
    if not live:
        yield
        return
    with translated("Live mode could not be paused"):
        core.stopSequenceAcquisition()
    try:
        yield
    finally:
        with translated("Live mode could not be resumed"):
            core.startContinuousSequenceAcquisition()


@contextmanager
def state_restored(core: CMMCorePlus) -> Iterator[None]:
    """Put channel, exposure, region of interest and shutter back on leaving; one that fails does not hinder the others."""
    with ExitStack() as stack:
        for keep in (_shutter_kept, _roi_kept, _exposure_kept, _channel_kept):
            stack.enter_context(keep(core))
        yield


@contextmanager
def _exposure_kept(core: CMMCorePlus) -> Iterator[None]:
    before_ms = core.getExposure()
    try:
        yield
    finally:
        with translated(f"The exposure could not be put back to {before_ms:g} ms"):
            if core.getExposure() != before_ms:
                core.setExposure(before_ms)


@contextmanager
def _roi_kept(core: CMMCorePlus) -> Iterator[None]:
    before = list(core.getROI())
    try:
        yield
    finally:
        with translated(f"The region of interest could not be put back to {before}"):
            if list(core.getROI()) != before:
                core.clearROI()
            if list(core.getROI()) != before:
                core.setROI(*before)


@contextmanager
def _shutter_kept(core: CMMCorePlus) -> Iterator[None]:
    shutter = core.getShutterDevice()
    automatic = core.getAutoShutter()
    was_open = core.getShutterOpen() if shutter else False
    try:
        yield
    finally:
        with translated(f"The shutter {shutter} could not be put back"):
            if core.getAutoShutter() != automatic:
                core.setAutoShutter(automatic)
            if shutter and core.getShutterOpen() != was_open:
                core.setShutterOpen(was_open)


@contextmanager
def _channel_kept(core: CMMCorePlus) -> Iterator[None]:
    group = core.getChannelGroup()
    before = list(core.getConfigGroupState(group)) if group else []
    try:
        yield
    finally:
        with translated(f"The channel of group {group!r} could not be put back"):
            for device, name, value in before:
                if str(core.getProperty(device, name)) != str(value):
                    core.setProperty(device, name, value)
                    core.waitForDevice(device)
