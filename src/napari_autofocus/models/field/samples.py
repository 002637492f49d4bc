"""How whole fields are shown to both stages: which patches are offered, what is left of the field, how it lies.

Every sample follows from the random numbers that are handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.selection import SelectionSettings, choose_patches
from napari_autofocus.models.disturbed.disturbances import Disturbances
from napari_autofocus.models.field.masking import EmptySlide, keep_only, left_of
from napari_autofocus.models.field_dataset import FieldPlane
from napari_autofocus.models.seeing.overview import overview_of
from napari_autofocus.models.tasks import turned

Float32 = npt.NDArray[np.float32]
_EVERYWHERE = 0.1  # added to the importance of a patch as the chance to be offered
_WHOLE, _GONE = 0.98, 0.02  # share of a patch that is left, from which it counts as untouched, and as empty


@dataclass(frozen=True)
class ShownFields:
    """How fields are shown.

    Parameters
    ----------
    patches : int
        Offered of each field; more than a few cost time.
    sparse : float
        Share of the fields of which only k patches of content are left, in [0, 1].
    most_left : int
        k is drawn evenly from 1 to this.
    disturbances : Disturbances
        How patches are varied when they are shown.

    Raises
    ------
    InputError
        If a number is outside its range.
    """

    patches: int = 8
    sparse: float = 0.5
    most_left: int = 6
    disturbances: Disturbances = field(default_factory=Disturbances)

    def __post_init__(self) -> None:
        if self.patches < 2 or self.most_left < 1:
            raise InputError(
                f"Two patches are offered at least, and one left; found {self.patches} and {self.most_left}."
            )
        if not 0 <= self.sparse <= 1:
            raise InputError(f"The share of sparse fields lies between 0 and 1; found {self.sparse}.")


def turned_plane(plane: FieldPlane, turn: int) -> FieldPlane:
    """A field turned and mirrored in one of eight ways, of which a field that is no square allows four."""
    if plane.grid.field_shape[0] != plane.grid.field_shape[1]:
        turn -= turn % 2

    def lying(values: Float32) -> Float32:
        return np.asarray(turned(values, turn), np.float32)

    return replace(
        plane,
        frame=lying(plane.frame),
        defocus_um=lying(plane.defocus_um),
        importance=lying(plane.importance),
    )


def with_few_left(whole: FieldPlane, count: int, rng: np.random.Generator) -> FieldPlane:
    """The same field with so many patches of content left, or as many as there are; the others become empty slide.

    Those left touch at most.
    """
    chance = np.where(whole.usable, rng.random(whole.usable.shape), 0)
    apart = SelectionSettings(most_patches=count, least_importance=1e-6, largest_overlap=0)
    kept = choose_patches(chance, whole.grid, apart)
    left = left_of(whole.grid, kept)
    quietest = whole.grid.slices(int(np.argmin(np.where(np.isfinite(whole.importance), whole.importance, np.inf))))
    share = (whole.grid.block_sum(left) / whole.grid.size**2).astype(np.float32)
    changed = (share > _GONE) & (share < _WHOLE)
    importance = np.where(share >= _WHOLE, whole.importance, np.where(changed, np.nan, 0))
    frame = keep_only(whole.frame, left, EmptySlide.of(whole.frame, quietest), rng)
    defocus = np.where(changed, np.nan, whole.defocus_um)
    return replace(whole, frame=frame, defocus_um=defocus.astype(np.float32), importance=importance.astype(np.float32))


def sample_of(
    plane: FieldPlane, settings: ShownFields, reduction: int, rng: np.random.Generator
) -> dict[str, npt.NDArray[Any]]:
    """What both stages are shown of a field, as arrays; those of several fields are put together by :func:`batch_of`.

    Patches are offered by chance, likelier the more important, empty ones among them: they are to weigh nothing. The
    truth of a patch without content is its field's.
    """
    known = np.isfinite(plane.importance).ravel()
    chance = np.where(known, np.nan_to_num(plane.importance.ravel()) + _EVERYWHERE, 0).astype(np.float64)
    count = min(settings.patches, int(known.sum()))
    places = np.zeros(settings.patches, np.int64)
    places[:count] = rng.choice(chance.size, count, replace=False, p=chance / chance.sum())
    usable = plane.usable.ravel()[places] & (np.arange(settings.patches) < count)
    truth = np.where(usable, plane.defocus_um.ravel()[places], np.nan_to_num(plane.field_um))
    jitter = settings.disturbances.gain_jitter
    gains = rng.uniform(1 - jitter, 1 + jitter, plane.frame.shape[-1])
    lit = plane.frame * np.asarray(gains, np.float32)
    return {
        "overviews": np.minimum(overview_of(lit, plane.grid, reduction).reshape(*_small(plane, reduction), -1), 1),
        "patches": np.stack([_patch(lit[plane.grid.slices(int(place))], settings, rng) for place in places]),
        "places": places,
        "offered": np.arange(settings.patches) < count,
        "usable": usable,
        "defocus_um": truth.astype(np.float32),
        "importance": plane.importance,
        "signed": np.array(plane.signed),
    }


def batch_of(samples: list[dict[str, npt.NDArray[Any]]]) -> Mapping[str, Tensor]:
    """Samples of several fields as tensors; images channels first in shape, last in memory."""
    stacked = {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}
    for name in ("overviews", "patches"):
        stacked[name] = stacked[name].movedim(-1, -3)
    return stacked


def _patch(patch: Float32, settings: ShownFields, rng: np.random.Generator) -> Float32:
    if not settings.disturbances.any:
        return patch
    return np.asarray(settings.disturbances.befall(np.ascontiguousarray(patch), rng), np.float32)


def _small(plane: FieldPlane, reduction: int) -> tuple[int, int]:
    """Height and width of the overview, px."""
    (rows, columns), grid = plane.grid.shape, plane.grid
    height, width = (rows - 1) * grid.step + grid.size, (columns - 1) * grid.step + grid.size
    return height // reduction, width // reduction
