"""What the commands that teach networks have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_autofocus.cli.parts.file_options import Optics, StackFiles

if TYPE_CHECKING:
    from napari_autofocus.workflows.own_plan import OwnSettings


def ready_to_teach(require: Callable[[], None]) -> None:
    """Refuse where a library is missing, and keep threads from getting in each other's way. Raises InputError."""
    # Threads that wait for one another by spinning are ten times slower beside any other program.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    require()


def own_settings(optics: Optics, files: StackFiles, **told: Any) -> OwnSettings:
    """How a model is made of one's own stacks: what was told, with what their files do not say."""
    from napari_autofocus.workflows.own_plan import OwnSettings

    return OwnSettings(lens=optics.lens(), pixel_size_um=optics.pixel_um, reading=files.reading(), **told)


def kept_words(work: Path | None, out: Path) -> str:
    """What is left of a training that somebody stopped."""
    if work is None:
        return f"Nothing is kept, because no --work folder was named. {out} was not written."
    return f"What was learned is kept in {work}; the same command goes on from there. {out} was not written."
