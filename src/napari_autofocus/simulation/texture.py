"""Textures of unlimited extent: smooth random fields that are the same wherever a view is laid.

Value noise on a hashed lattice, interpolated with cubic B-splines (so that it has no creases), and fibres: the same in
one dimension, followed along a wavy coordinate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from napari_autofocus.simulation.scatter import HashArray, hash_sites, to_uniform
from napari_autofocus.simulation.view import View

FloatArray = npt.NDArray[np.float64]
FloatImage = npt.NDArray[np.float32]

# Standard deviation of B-spline interpolated uniform noise in [-1, 1], averaged over position, squared and rooted:
# sqrt(1/3) times the mean square of the four weights (151/315) for each of two axes.
_NOISE_SD = (1 / 3) ** 0.5 * 151 / 315


def noise(view: View, key: HashArray, spacing_um: float) -> FloatImage:
    """A smooth random field, shape (Y, X), mean 0, standard deviation 1, with grains about 1.5 ``spacing_um`` wide.

    Grains much smaller than a pixel average out, so the field fades to 0 where ``spacing_um`` is below a pixel.
    """
    fade = min(1.0, spacing_um / view.pixel_size_um)
    if fade < 0.5:
        return view.blank()
    rows, first_row, n_rows = _spline_weights(view.rows_um / spacing_um)
    columns, first_column, n_columns = _spline_weights(view.columns_um / spacing_um)
    ix = np.arange(first_column, first_column + n_columns, dtype=np.int64)
    iy = np.arange(first_row, first_row + n_rows, dtype=np.int64)
    lattice = (2 * to_uniform(hash_sites(key, ix[:, None], iy[None, :])) - 1) * (fade / _NOISE_SD)
    along_x = columns @ lattice.astype(np.float32)
    return np.asarray(rows @ np.ascontiguousarray(along_x.T), np.float32)


def noise_at(x_um: FloatArray, y_um: FloatArray, key: HashArray, spacing_um: float) -> FloatArray:
    """:func:`noise` at single points, x and y of shape (N,), as an infinitely fine camera would see it."""
    column, row = np.floor(x_um / spacing_um), np.floor(y_um / spacing_um)
    taps_x, taps_y = _spline_taps(x_um / spacing_um - column), _spline_taps(y_um / spacing_um - row)
    near = np.arange(-1, 3, dtype=np.int64)
    ix = column.astype(np.int64)[:, None, None] + near[:, None]
    iy = row.astype(np.int64)[:, None, None] + near
    lattice = 2 * to_uniform(hash_sites(key, ix, iy)) - 1
    return np.asarray(np.einsum("nij,ni,nj->n", lattice, taps_x, taps_y) / _NOISE_SD, np.float64)


def rough_noise(view: View, key: HashArray, spacing_um: float, octaves: int) -> FloatImage:
    """:func:`noise` of several spacings, each half the one before and half as strong; standard deviation about 1."""
    total = view.blank()
    for octave in range(octaves):
        total += 0.5**octave * noise(view, key + np.uint64(octave), spacing_um / 2**octave)
    norm = sum(0.25**octave for octave in range(octaves)) ** 0.5
    return np.asarray(total / norm, np.float32)


def threads(coordinate: FloatArray, key: HashArray) -> FloatImage:
    """Random stripes in [0, 1] across a coordinate: one value for each whole number, eased between them.

    Parameters
    ----------
    coordinate : np.ndarray, shape (Y, X), float64
        Position across the stripes, in stripe widths.
    """
    whole = np.floor(coordinate)
    first = int(whole.min())
    index = (whole - first).astype(np.int32)
    table = np.arange(first, first + int(index.max()) + 2, dtype=np.int64)
    values = to_uniform(hash_sites(key, table, np.zeros_like(table))).astype(np.float32)
    blend = ease((coordinate - whole).astype(np.float32))
    return np.asarray(values[index] + np.diff(values)[index] * blend, np.float32)


def ease(value: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Smooth step: 0 below 0, 1 above 1, without a kink between."""
    eased = np.clip(value, np.float32(0), np.float32(1))
    factor = np.float32(3) - np.float32(2) * eased
    eased *= eased
    eased *= factor
    return eased


def _spline_weights(position: FloatArray) -> tuple[csr_array, int, int]:
    """Cubic B-spline weights of each position, (positions, sites), the first site's index and the number of sites."""
    base = np.floor(position)
    taps = _spline_taps(position - base)
    first = int(base[0]) - 1
    count = int(base[-1]) - first + 3
    index = (base[:, None] - 1 - first).astype(np.int32) + np.arange(4, dtype=np.int32)
    starts = np.arange(0, 4 * len(position) + 1, 4)
    weights = csr_array((taps.astype(np.float32).ravel(), index.ravel(), starts), shape=(len(position), count))
    return weights, first, count


def _spline_taps(t: FloatArray) -> FloatArray:
    """Cubic B-spline weights of the sites −1, 0, 1 and 2, shape (N, 4), at ``t`` in [0, 1) beyond site 0."""
    taps = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    return np.asarray(np.stack(taps, axis=1) / 6, np.float64)
