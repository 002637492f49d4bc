"""What a user sets once, on the page *Autofocus* of napari's Preferences, and what it means to the panels.

napari has had that page, and keeps what is set there, since 0.9; before, everything is as it is without settings. The
page is made of ``configurations`` in ``napari.yaml``, whose defaults are those of :class:`Preferences`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.mmcore import DEFAULT_LARGEST_STEP_UM, DEFAULT_RANGE_UM
from napari_autofocus.optics import Objective

PLUGIN = "napari-autofocus"
_RUNS = "runs.jsonl"


@dataclass(frozen=True)
class Preferences:
    """The settings.

    Parameters
    ----------
    objective : str
        Of images and microscopes that do not name theirs, as :meth:`Objective.parse` reads it; empty: unknown.
    pixel_nm : float
        Size of a pixel in the sample that goes with it, nm, since napari's page takes two decimals; 0: that of the
        usual camera.
    travel_um : float
        How far a Micro-Manager focus drive may go to either side of where it stands when it is connected.
    largest_step_um : float
        Its longest single move.
    model : str
        Name of the model to begin with; empty: the one that fits what is looked at.
    runs_folder : str
        Where every run is written down as it ends; empty: only in memory, until it is exported.
    """

    objective: str = ""
    pixel_nm: float = 0.0
    travel_um: float = DEFAULT_RANGE_UM
    largest_step_um: float = DEFAULT_LARGEST_STEP_UM
    model: str = ""
    runs_folder: str = ""

    def lens(self) -> Objective | None:
        """The objective; None where none is set, or with a warning where it makes no sense."""
        if not self.objective.strip():
            return None
        try:
            return Objective.parse(self.objective, pixel_size_um=self.pixel_nm / 1000 or None)
        except InputError as error:
            _warn(f"The objective of the preferences is not used: {error}")
            return None

    def runs_file(self) -> Path | None:
        """The file that runs are appended to; None where no folder is set, or with a warning where there is none."""
        if not self.runs_folder.strip():
            return None
        folder = Path(self.runs_folder).expanduser()
        if not folder.is_dir():
            _warn(f"Runs are not written down: there is no folder {folder}; make it, or name another.")
            return None
        return folder / _RUNS


def preferences() -> Preferences:
    """The settings as they are now; the defaults where napari keeps none."""
    page = _page()
    if page is None:
        return Preferences()
    names = {each.name for each in fields(Preferences)}
    sections = (page.microscope, page.focus)
    return Preferences(**{name: getattr(s, name) for s in sections for name in names if hasattr(s, name)})


def _page() -> Any:
    """napari's settings of this plugin; None where it has none."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:  # a panel that is used without the plugin being installed, or enabled
        return None


def _warn(text: str) -> None:
    show_warning(f"{text} See Preferences, Autofocus.")
