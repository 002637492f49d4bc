"""Software autofocus inside acquisitions of pymmcore-plus, on any core.

A useq ``MDASequence`` with an autofocus plan runs our routines instead of a hardware device: by a model or by a sweep,
with what was found carried to the planes, the later time points and the other places. See ``engine.py`` for how, and
``docs/mda.md`` for a script.
"""

from __future__ import annotations

from napari_autofocus.workflows.mda.acquiring import ArmedCore, acquire_with_autofocus, is_acquiring
from napari_autofocus.workflows.mda.config import FocusChannel, MapHeight, MdaFocusConfig, Policy
from napari_autofocus.workflows.mda.finders import MdaFinder, model_finder, sweep_finder
from napari_autofocus.workflows.mda.record import FocusEvent, MdaFocusRecord, SkippedFrames
from napari_autofocus.workflows.mda.saving import MdaFolder, read_frames
from napari_autofocus.workflows.mda.sequences import read_sequence, relative_to_focus

__all__ = [
    "ArmedCore",
    "FocusChannel",
    "FocusEvent",
    "MapHeight",
    "MdaFinder",
    "MdaFocusConfig",
    "MdaFocusRecord",
    "MdaFolder",
    "Policy",
    "SkippedFrames",
    "acquire_with_autofocus",
    "is_acquiring",
    "model_finder",
    "read_frames",
    "read_sequence",
    "relative_to_focus",
    "sweep_finder",
]
