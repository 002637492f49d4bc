"""What refocusing is worth downstream: cells counted on the two shots, on what was recovered and on the true image.

As Li et al. (arXiv:2003.06630) and Liao et al. (2021) check theirs. Counted alike on all images, see
``focus/counting.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.counting import CellCount, Kind, count_cells, kind_of
from napari_autofocus.workflows.reports.tables import write_table

TRUE = "true"
COLUMNS: dict[str, type] = {"image": str, "cells": int, "difference": int, "difference_percent": float}
"""Of the table; differences are against the true image, and empty where there is none."""


@dataclass(frozen=True, eq=False)
class CellCounts:
    """Cells of several images of one field.

    Parameters
    ----------
    found : mapping of str to CellCount
        By the image's name; the true image is ``true``.
    kind : str
        What was counted: ``nuclei`` or ``fluorescence``.
    """

    found: Mapping[str, CellCount]
    kind: Kind

    def rows(self) -> list[dict[str, Any]]:
        """The table: an image a row."""
        true = self.found[TRUE].count if TRUE in self.found else None
        return [_row(name, each.count, true) for name, each in self.found.items()]

    def to_json(self) -> dict[str, Any]:
        """Counts by image, and what was counted."""
        return {"kind": self.kind, **{name: each.count for name, each in self.found.items()}}


def count_in_all(images: Mapping[str, npt.NDArray[Any]], *, pixel_size_um: float) -> CellCounts:
    """Count the cells of several images of one field in the same way.

    Parameters
    ----------
    images : mapping of str to np.ndarray, shape (Y, X) or (Y, X, 3)
        By name; whether cells are dark or bright is seen in the last one.
    pixel_size_um : float
        Size of a pixel in the sample, µm.

    Raises
    ------
    InputError
        If an image cannot be measured.
    """
    kind = kind_of(list(images.values())[-1])
    return CellCounts(
        {name: count_cells(image, pixel_size_um=pixel_size_um, kind=kind) for name, image in images.items()}, kind
    )


def write_counts(path: Path, counts: CellCounts) -> None:
    """Write the table. Raises InputError if its ending is neither .csv nor .parquet, or it cannot be written."""
    write_table(path, counts.rows(), COLUMNS)


def outlines(counted: CellCount) -> npt.NDArray[np.bool_]:
    """The borders of the cells, shape (Y, X)."""
    from skimage.segmentation import find_boundaries

    return np.asarray(find_boundaries(counted.labels, mode="inner"), bool)


def _row(name: str, cells: int, true: int | None) -> dict[str, Any]:
    difference = None if true is None or name == TRUE else cells - true
    share = None if difference is None or not true else 100 * difference / true
    return {"image": name, "cells": cells, "difference": difference, "difference_percent": share}
