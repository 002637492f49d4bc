from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_autofocus.errors import InputError
from napari_autofocus.io.lazy import LazyPlanes, to_um

DATA = np.arange(4 * 3 * 5, dtype=np.uint16).reshape(4, 3, 5)


def _lazy(read: list[int] | None = None) -> LazyPlanes:
    def reader(index: int) -> np.ndarray[Any, Any]:
        if read is not None:
            read.append(index)
        return DATA[index]

    return LazyPlanes([lambda i=i: reader(i) for i in range(4)], (3, 5), np.uint16)  # type: ignore[misc]


@given(hnp.basic_indices((4, 3, 5), allow_newaxis=False))
def test_indexing_gives_what_numpy_gives(key: Any) -> None:
    np.testing.assert_array_equal(np.asarray(_lazy()[key]), DATA[key])


@given(st.permutations(range(4)))
def test_a_new_order_reads_nothing(order: list[int]) -> None:
    read: list[int] = []
    reordered = _lazy(read)[np.array(order)]
    assert read == []
    np.testing.assert_array_equal(reordered[0], DATA[order[0]])
    assert read == [order[0]]
    np.testing.assert_array_equal(np.asarray(reordered), DATA[order])


def test_an_index_out_of_range_is_refused() -> None:
    with pytest.raises(IndexError):
        _lazy()[4]


@pytest.mark.parametrize("plane", [np.zeros((3, 4), np.uint16), np.zeros((3, 5), np.uint8)])
def test_a_plane_unlike_the_others_is_refused(plane: np.ndarray[Any, Any]) -> None:
    planes = LazyPlanes([lambda: DATA[0], lambda: plane], (3, 5), np.uint16)
    with pytest.raises(InputError, match="Plane 1 has shape"):
        planes[1]


@pytest.mark.parametrize(
    ("value", "unit", "um"),
    [
        (2, "nm", 0.002),
        ("0.5", "µm", 0.5),
        (1, "MM", 1000),
        (3, "pixel", None),
        (3, None, None),
        ("far", "um", None),
        (np.inf, "um", None),
        (None, "um", None),
    ],
)
def test_only_lengths_become_micrometres(value: Any, unit: str | None, um: float | None) -> None:
    assert to_um(value, unit) == um
