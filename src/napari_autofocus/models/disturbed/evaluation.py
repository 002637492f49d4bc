"""Frames of an evaluation with something befalling them, and what is told of it beside the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from napari_autofocus.models.disturbed.frames import Disturbance, disturbed
from napari_autofocus.models.evaluation import Known


def disturbances_told(disturbances: Sequence[Disturbance]) -> dict[str, Any]:
    """What the JSON says of disturbances; nothing where there were none."""
    return {"disturbances": {each.name: each.strength for each in disturbances}} if disturbances else {}


def frames_words(source: str, disturbances: Sequence[Disturbance]) -> str:
    """``simulated, disturbed: jpeg=75``."""
    disturbed_by = f"disturbed: {', '.join(map(str, disturbances))}" if disturbances else ""
    return ", ".join(part for part in (source, disturbed_by) if part)


def disturbance_notes(disturbances: Sequence[Disturbance]) -> list[str]:
    """A sentence on what befell the frames; none where nothing did."""
    said = ", ".join(map(str, disturbances))
    return [f"The frames were disturbed before the model saw them: {said}."] if said else []


def befallen(frames: Iterable[Known], disturbances: Sequence[Disturbance]) -> Iterator[Known]:
    """Frames with something befalling them; what is drawn follows from each frame's name and defocus alone."""
    for frame in frames:
        name, nm = crc32(Path(frame.source).name.encode()), round(1000 * abs(frame.true_um))
        yield disturbed(frame, disturbances, seed=(name, nm, int(frame.true_um > 0)))
