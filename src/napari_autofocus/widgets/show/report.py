"""What the tour saw: what each stage said, and the truth that only a simulation knows."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

_PACKAGES = (
    "napari-autofocus",
    "napari",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pymmcore-plus",
    "qtpy",
)


@dataclass(frozen=True)
class Stage:
    """One stage of the tour.

    Parameters
    ----------
    name : str
        What was done.
    outcome : str
        Outcome of the run, or a word of the panel's.
    sentence : str
        What the panel said.
    defocus_before_um, defocus_after_um : float
        True defocus before and after, µm; positive: sample and objective too close.
    seconds : float
        How long it took, s, the waiting for pictures included.
    facts : dict
        What else there is to tell.
    """

    name: str
    outcome: str
    sentence: str
    defocus_before_um: float
    defocus_after_um: float
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class TourReport:
    """What the tour saw; written to ``report.json``.

    Parameters
    ----------
    slide : dict
        The simulated slide.
    dof_um : float
        Depth of field of the objective, µm.
    defocus_before_um, defocus_after_um : float
        True defocus before and after the first refocus, µm.
    focused : bool
        Whether every run that was to end in focus says so, and the truth lies within half a depth of field.
    stages : list of Stage
        Everything in the order it was done.
    labelling : dict
        What the labelling panel showed.
    screenshots : list of str
        Files beside the report.
    versions : dict
        Python and the packages that matter.
    """

    slide: dict[str, Any]
    dof_um: float = float("nan")
    defocus_before_um: float = float("nan")
    defocus_after_um: float = float("nan")
    focused: bool = False
    stages: list[Stage] = field(default_factory=list)
    labelling: dict[str, Any] = field(default_factory=dict)
    screenshots: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=lambda: installed_versions())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def stage(self, name: str) -> Stage | None:
        """The stage of that name; None where the tour did not come so far."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def in_focus(self, stage: Stage | None) -> bool:
        """Whether a stage says that it ended in focus, and the truth agrees within half a depth of field."""
        said = stage is not None and stage.outcome in ("focused", "already_in_focus", "held")
        return said and abs(stage.defocus_after_um) <= self.dof_um / 2


def installed_versions() -> dict[str, str]:
    """Python and the packages that matter."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
