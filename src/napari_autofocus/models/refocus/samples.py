"""What virtual refocusing learns from: places seen in two shots either side of focus, several times, and in focus.

From the simulation they come without noise (the camera's is added anew each time a sample is shown); from z-stacks
with the noise they were taken with. Stored in shards that appear whole or not at all, read through memory maps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_autofocus.models.shards import Rows, finished_shards, joined, read_names, write_names, writing_shard

FULL_SCALE = 65535
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class RefocusSample:
    """One place of a slide.

    Parameters
    ----------
    truth : np.ndarray, shape (Y, X, C), uint16
        In focus; 65535 is full light.
    shots : np.ndarray, shape (pairs, 2, Y, X, C), uint16
        Two shots of each pair.
    half_um, error_um : np.ndarray, shape (pairs,)
        Half of the distance of the two shots, and the middle between them against best focus, µm.
    noisy : bool
        Whether a camera's noise is in the images already.
    slide, stain : str
        Samples of one slide stay together when data are split.
    """

    truth: npt.NDArray[np.uint16]
    shots: npt.NDArray[np.uint16]
    half_um: npt.NDArray[np.float32]
    error_um: npt.NDArray[np.float32]
    noisy: bool
    slide: str
    stain: str = ""


def write_refocus_shard(folder: Path, samples: Iterable[RefocusSample]) -> Path:
    """Write one shard; samples of one shape and number of pairs.

    Raises
    ------
    InputError
        If it cannot be written, because the disk is full for instance; nothing is left of it then.
    """
    kept = list(samples)
    with writing_shard(folder) as unfinished:
        np.save(unfinished / "truths.npy", np.stack([sample.truth for sample in kept]))
        np.save(unfinished / "shots.npy", np.stack([sample.shots for sample in kept]))
        np.save(unfinished / "half_um.npy", np.stack([sample.half_um for sample in kept]).astype(np.float32))
        np.save(unfinished / "error_um.npy", np.stack([sample.error_um for sample in kept]).astype(np.float32))
        np.save(unfinished / "noisy.npy", np.array([sample.noisy for sample in kept], bool))
        names = {"slides": [sample.slide for sample in kept], "stains": [sample.stain for sample in kept]}
        write_names(unfinished, _FORMAT, names)
    return folder


class RefocusDataset:
    """All finished shards of a folder as one sequence of places.

    Parameters
    ----------
    folder : Path
        Holds ``shard-*`` folders.

    Raises
    ------
    InputError
        If there is none, one cannot be read, or one was written by another version.
    """

    def __init__(self, folder: Path) -> None:
        found = finished_shards(folder)
        names = [read_names(path, _FORMAT) for path in found]
        self._truths = Rows(found, "truths.npy")
        self._shots = Rows(found, "shots.npy")
        self.half_um = joined(found, "half_um.npy")
        self.error_um = joined(found, "error_um.npy")
        self.noisy = joined(found, "noisy.npy")
        self.slides = np.concatenate([np.array(each["slides"]) for each in names])
        self.stains = np.concatenate([np.array(each["stains"]) for each in names])

    def __len__(self) -> int:
        return len(self._truths)

    @property
    def pairs(self) -> int:
        """Pairs of shots of each place."""
        return int(self.half_um.shape[1])

    @property
    def side_px(self) -> int:
        """Side of a stored place, px."""
        return int(self._truths.parts[0].shape[1])

    @property
    def channels(self) -> int:
        """Channels of a shot."""
        return int(self._truths.parts[0].shape[-1])

    def place(self, index: int, pair: int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
        """The image in focus (Y, X, C) and two shots (2, Y, X, C) of a place, on disk still."""
        return self._truths[index], self._shots[index][pair]
