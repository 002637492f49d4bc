"""Whole frames, reduced, with the field's own defocus: what a network that sees the frame at once learns from.

Two sources: the overviews that the shards of a shipped model keep anyway (reduced 8 times), and fields simulated anew
(reduced 4 times, or 8). Both are simulated as the shipped model's own data are. Frames through even optics and frames
without content, which have no answer, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.samples import FieldSample
from napari_autofocus.models.seeing.overview import overview_of
from napari_autofocus.models.simulated.fields import SimulatedFields, simulate_field

FIRST_SEED = 300_000
"""Of fields simulated anew: neither those of shipped models (from 0), nor those measured on (from 10,000,000)."""
FIELDS_A_FILE = 24
STORED_REDUCTION = 4
RECORD = np.dtype([("defocus_um", "f4"), ("signed", "?")])
_KNOWN = SimulatedFields()
FIELDS = replace(_KNOWN, densities=_KNOWN.densities[:3], density_shares=(0.4, 0.34, 0.26), even_share=0.0)


class WholeFrames:
    """Reduced frames in the form in which ``DefocusTask`` takes patches.

    Parameters
    ----------
    images : np.ndarray, shape (N, y, x, 3), uint8
        Whole frames.
    defocus_um : np.ndarray, shape (N,)
        Median defocus over the content of each.
    slides, densities : np.ndarray of str, shape (N,)
        Frames of one slide are held back together.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        defocus_um: npt.NDArray[np.float32],
        slides: npt.NDArray[np.str_],
        densities: npt.NDArray[np.str_],
    ) -> None:
        self.images, self.slides, self.densities = images, slides, densities
        self.labels = np.zeros(len(images), RECORD)
        self.labels["defocus_um"], self.labels["signed"] = defocus_um, True

    def __len__(self) -> int:
        return len(self.images)

    def patch(self, index: int) -> npt.NDArray[np.float32]:
        """One frame, shape (y, x, 3), in [0, 1]."""
        return np.asarray(self.images[index], np.float32) / np.float32(255)

    def and_also(self, other: WholeFrames) -> WholeFrames:
        """The frames of both."""
        return WholeFrames(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.labels["defocus_um"], other.labels["defocus_um"]]),
            np.concatenate([self.slides, other.slides]),
            np.concatenate([self.densities, other.densities]),
        )


def from_overviews(folder: Path) -> WholeFrames:
    """The overviews of a shipped model's shards, where the slide has content and its optics have two sides."""
    data = Dataset(folder)
    usable = data.labels["signed"]
    density_of = dict(zip(data.slides[usable].tolist(), data.densities[usable].tolist(), strict=True))
    slides = data.overview_slides
    chosen = [
        index
        for index, slide in enumerate(slides.tolist())
        if slide in density_of and np.isfinite(data.overview_labels["defocus_um"][index])
    ]
    images = np.concatenate([np.asarray(shard.overviews) for shard in data.shards])
    densities = np.array([density_of[str(slides[index])] for index in chosen])
    return WholeFrames(images[chosen], data.overview_labels["defocus_um"][chosen], slides[chosen], densities)


def simulate(folder: Path, fields: int) -> Iterator[Path]:
    """Simulate what is missing of so many fields, a file for a few of them, and tell each file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(-(-fields // FIELDS_A_FILE)):
        path = folder / f"fields-{number:04}.npz"
        if not path.is_file():
            first = FIRST_SEED + number * FIELDS_A_FILE
            _write(path, [simulate_field(FIELDS, seed) for seed in range(first, first + FIELDS_A_FILE)])
        yield path


def _write(path: Path, samples: list[FieldSample]) -> None:
    kept = [sample for sample in samples if (sample.importance >= 0.3).any()]
    rows = [(sample, plane) for sample in kept for plane in range(len(sample.frames))]
    unfinished = path.with_suffix(".part.npz")
    np.savez(
        unfinished,
        images=np.stack([overview_of(sample.frames[plane], sample.grid, STORED_REDUCTION) for sample, plane in rows]),
        defocus_um=np.array([_defocus_um(sample, plane) for sample, plane in rows], np.float32),
        slides=np.array([sample.slide for sample, _ in rows]),
        densities=np.array([sample.density for sample, _ in rows]),
    )
    unfinished.rename(path)


def _defocus_um(sample: FieldSample, plane: int) -> float:
    """Median over the patches that have content."""
    return float(np.median(sample.defocus_um[plane][sample.importance >= 0.3]))


def from_files(folder: Path, reduction: int) -> WholeFrames:
    """The fields that :func:`simulate` wrote, reduced 4 or 8 times."""
    paths = sorted(path for path in folder.glob("fields-*.npz") if not path.name.endswith(".part.npz"))
    if not paths:
        raise InputError(f"{folder} holds no simulated fields (fields-*.npz); ask for some with --fields.")
    files = [dict(np.load(path)) for path in paths]
    images = np.concatenate([file["images"] for file in files])
    if reduction == 2 * STORED_REDUCTION:
        images = halved(images)
    elif reduction != STORED_REDUCTION:
        raise InputError(f"Whole frames are reduced 4 or 8 times; found {reduction}.")
    return WholeFrames(images, *(np.concatenate([file[name] for file in files]) for name in LABELS))


LABELS = ("defocus_um", "slides", "densities")


def halved(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Images (N, y, x, C) averaged over squares of two pixels."""
    count, height, width, channels = images.shape
    squares = images.reshape(count, height // 2, 2, width // 2, 2, channels)
    return np.asarray(np.rint(squares.mean(axis=(2, 4), dtype=np.float32)), np.uint8)
