"""How focusing goes about its work inside an acquisition: when, in which channel, and what happens where it fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from napari_autofocus.errors import InputError

Policy = Literal["keep", "map", "skip", "stop"]
When = Literal["plan", "needed"]
MapHeight = Callable[[float, float], float | None]
"""Drive position of best focus at a place (x, y in µm) by a focus map, µm; None where the map says nothing."""

AXES = "tpgcz"


@dataclass(frozen=True)
class FocusChannel:
    """Light to focus in, where it is not that of the acquired frames.

    Parameters
    ----------
    group, preset : str
        Group of presets of the core's configuration, and the preset. Presets that move a stage are refused.
    exposure_ms : float or None
        Exposure time while focusing, ms; None for that of the acquired frame.
    """

    group: str
    preset: str
    exposure_ms: float | None = None

    def __post_init__(self) -> None:
        if not (self.group and self.preset):
            raise InputError("A focus channel is a group of presets and one of its presets; name both.")
        if self.exposure_ms is not None and not 0 < self.exposure_ms < math.inf:
            raise InputError(f"The exposure while focusing must be a positive number of ms; found {self.exposure_ms}.")


@dataclass(frozen=True)
class MdaFocusConfig:
    """How to focus during an acquisition. All numbers are ours.

    Parameters
    ----------
    on_failure : {'keep', 'map', 'skip', 'stop'}
        Where a field cannot be focused. ``keep``: acquire where focus was last found there, moved by what the other
        places have drifted since; ``map``: where the focus map says; ``skip``: leave the frames of this place out until
        it is focused again; ``stop``: end the acquisition.
    axes : tuple of str
        For an acquisition that has no autofocus plan of its own: focus whenever one of these axes changes, as in
        ``("p",)`` or ``("t", "p")``. Empty: only acquisitions with a plan are focused.
    every_n : int
        Focus only at every n-th time point, from the first one on.
    first_only : bool
        Focus each place once, at its first turn.
    when : {'plan', 'needed'}
        ``plan``: as often as planned; ``needed``: only where the last frame acquired at that place, read by the model,
        is out of focus by more than ``needed_um`` or cannot be judged. Needs a model of one shot.
    needed_um : float
        For ``when='needed'``, µm.
    channel : FocusChannel or None
        Light to focus in; None for that of the first frame after the autofocus.
    offsets_um : mapping of str to float
        Drive offset of an acquired channel from the focus channel, by preset, µm; on top of the z offset that the
        acquisition itself states for a channel.
    carry_drift : bool
        Whether places that were not focused just now follow what the others have drifted.
    retries : int
        How often a focusing that a failure of the hardware ended is tried again.

    Raises
    ------
    InputError
        If a value makes no sense.
    """

    on_failure: Policy = "keep"
    axes: tuple[str, ...] = ()
    every_n: int = 1
    first_only: bool = False
    when: When = "plan"
    needed_um: float = 0.5
    channel: FocusChannel | None = None
    offsets_um: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    carry_drift: bool = True
    retries: int = 1

    def __post_init__(self) -> None:
        if self.on_failure not in get_args(Policy):
            raise InputError(f"Unknown policy {self.on_failure!r}; use one of {', '.join(get_args(Policy))}.")
        if self.when not in get_args(When):
            raise InputError(f"Unknown occasion {self.when!r}; use one of {', '.join(get_args(When))}.")
        if unknown := [axis for axis in self.axes if axis not in AXES]:
            raise InputError(f"Unknown axis {unknown[0]!r}; an acquisition has the axes {', '.join(AXES)}.")
        if self.every_n < 1 or self.retries < 0:
            raise InputError(
                f"every_n is 1 or more and retries 0 or more; found every_n={self.every_n}, retries={self.retries}."
            )
        if not 0 < self.needed_um < math.inf:
            raise InputError(f"needed_um must be a positive number of µm; found {self.needed_um}.")
        for preset, offset_um in self.offsets_um.items():
            if not math.isfinite(offset_um):
                raise InputError(f"The offset of the channel {preset} must be a number of µm; found {offset_um}.")
