"""Which planes of a file with many axes make up one z-stack: channels are chosen, time series refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.io.care.limits import check_count

_AXIS_NAMES = {"T": "time points", "R": "tiles", "A": "angles", "P": "phases", "V": "views", "H": "lifetimes"}
_UNNAMED = "IQ"  # tifffile: an image sequence, an axis whose meaning is not stated


class NotAStack(InputError):
    """The planes of a file differ in something other than z; ``holds`` says in what (``5 time points``)."""

    def __init__(self, source: str, holds: str) -> None:
        super().__init__(
            f"{source} holds {holds} at a single z, not a z-stack; give a file whose planes differ in z (or correct its"
            " axes, in Fiji with Image > Properties)."
        )
        self.holds = holds


def z_planes(
    source: str, axes: str, shape: Sequence[int], channels: Sequence[str], channel: int | str | None
) -> tuple[npt.NDArray[np.intp], int]:
    """Numbers of the planes, in order of z, that belong to the chosen channel.

    Parameters
    ----------
    source : str
        The file, for messages.
    axes : str
        One letter for each axis that counts planes (not Y, X and colour samples), slowest first.
    shape : sequence of int
        Length of each of those axes.
    channels : sequence of str
        Names of the channels; empty where the file has none.
    channel : int, str or None
        Number or name of the channel to take; None is enough where there is only one.

    Returns
    -------
    planes : np.ndarray, shape (Z,)
        Numbers of the planes, counted over ``shape`` in C order.
    channel : int
        Number of the chosen channel.

    Raises
    ------
    InputError
        For several channels without a choice, a channel that does not exist, time points and other axes.
    """
    lengths = dict(zip(axes, shape, strict=True))
    z_axis = _z_axis(lengths)
    refuse_other_axes(source, lengths, z_axis)
    number = choose_channel(source, lengths.get("C", 1), channels, channel)
    planes = math.prod(shape)
    check_count(source, planes)
    numbers = np.arange(planes, dtype=np.intp).reshape(tuple(shape))
    keep: dict[str, int | slice] = {z_axis: slice(None), "C": number}
    chosen = tuple(keep.get(axis, 0) for axis in axes)
    return np.atleast_1d(numbers[chosen]), number


def _z_axis(lengths: dict[str, int]) -> str:
    """Z, or the one unnamed axis where no axis is called Z."""
    if lengths.get("Z", 1) > 1:
        return "Z"
    return next((axis for axis in _UNNAMED if lengths.get(axis, 1) > 1), "Z")


def refuse_other_axes(source: str, lengths: Mapping[str, int], z_axis: str) -> None:
    """Raise InputError if planes differ in anything but z and channel: time points, tiles, angles."""
    for axis, length in lengths.items():
        if axis in (z_axis, "C") or length == 1:
            continue
        name = _AXIS_NAMES.get(axis, f"positions along an axis called {axis}")
        if lengths.get(z_axis, 1) > 1:
            raise InputError(
                f"{source} holds {length} {name} of a z-stack; save the one that you want as a file of its own."
            )
        raise NotAStack(source, f"{length} {name}")


def choose_channel(source: str, count: int, names: Sequence[str], channel: int | str | None) -> int:
    """Number of the channel that ``channel`` (a number, a name or None) means."""
    known = [names[i] if i < len(names) and names[i] else str(i) for i in range(count)]
    listed = ", ".join(f"{i} ({name})" if name != str(i) else name for i, name in enumerate(known))
    if channel is None:
        if count > 1:
            raise InputError(f"{source} holds {count} channels: {listed}; say which one to use with --channel.")
        return 0
    if isinstance(channel, str) and channel in known:
        return known.index(channel)
    if str(channel).isdecimal() and int(channel) < count:
        return int(channel)
    raise InputError(f"{source} has no channel {channel!r}; it holds {listed}.")
