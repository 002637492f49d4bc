"""What is kept of each frame beside its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from useq import MDAEvent

from napari_autofocus.workflows.mda.checks import MdaMicroscope

_PLAIN = (str, int, float, bool, type(None))


def frame_facts(event: MDAEvent, metadata: Mapping[str, Any], microscope: MdaMicroscope) -> dict[str, Any]:
    """Place, time, light and focus of a frame, in plain values.

    Parameters
    ----------
    event : MDAEvent
        As it was taken, its z corrected.
    metadata : mapping
        As the engine gave it.
    microscope : MdaMicroscope
        For the size of a pixel.
    """
    position = metadata.get("position") or {}
    pixel_um = metadata.get("pixel_size_um") or float(microscope.core.getPixelSizeUm())
    facts: dict[str, Any] = {
        "x_um": position.get("x", event.x_pos),
        "y_um": position.get("y", event.y_pos),
        "z_um": position.get("z", event.z_pos),
        "channel": event.channel.config if event.channel is not None else None,
        "exposure_ms": metadata.get("exposure_ms", event.exposure),
        "runner_time_ms": metadata.get("runner_time_ms"),
        "pixel_size_um": pixel_um or None,
        "z_step_um": _z_step_um(event),
        "hardware_triggered": bool(metadata.get("hardware_triggered", False)),
        "position_name": event.pos_name,
    }
    facts = {name: value for name, value in facts.items() if isinstance(value, _PLAIN)}
    return {**facts, "autofocus": dict(metadata["autofocus"])}


def _z_step_um(event: MDAEvent) -> float | None:
    plan = event.sequence.z_plan if event.sequence is not None else None
    heights = list(plan) if plan is not None else []
    return abs(float(heights[1] - heights[0])) if len(heights) > 1 else None
