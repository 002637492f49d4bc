"""Seeded chance on an unlimited plane: every lattice site has random numbers of its own, whoever asks for them.

Numbers come from hashing a site's lattice indices with a key made from the specimen's seed, so two fields that overlap
draw the same objects without either knowing of the other.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from napari_autofocus.simulation.view import View

FloatArray = npt.NDArray[np.float64]
HashArray = npt.NDArray[np.uint64]

# Increment and multipliers of the splitmix64 generator (Steele, Lea & Flood, OOPSLA 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def mix(value: HashArray) -> HashArray:
    """Scramble 64-bit numbers so that neighbours come out unrelated (the finaliser of splitmix64)."""
    value = value + _GOLDEN
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@lru_cache(maxsize=1024)
def make_key(seed: int, purpose: str) -> HashArray:
    """A 64-bit key, shape (1,), for one purpose of one specimen, independent of all other purposes."""
    state = np.random.SeedSequence([seed, *purpose.encode()]).generate_state(1, np.uint64)
    return np.asarray(state, np.uint64)


def hash_sites(key: HashArray, ix: npt.NDArray[np.int64], iy: npt.NDArray[np.int64]) -> HashArray:
    """A hash of each pair of lattice indices; ``ix`` and ``iy`` broadcast."""
    return mix(mix(key + ix.astype(np.uint64)) + iy.astype(np.uint64))


def to_uniform(hashes: HashArray) -> FloatArray:
    """Numbers in [0, 1) from the upper 53 bits of each hash."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


@lru_cache(maxsize=1024)
def _channel(name: str) -> np.uint64:
    return np.uint64(zlib.crc32(name.encode()) << 16)


@dataclass(frozen=True, eq=False)
class Sites:
    """Points on the slide, each with random numbers of its own.

    Parameters
    ----------
    identity : np.ndarray, shape (N,), uint64
        Hash that stands for the point.
    x_um, y_um : np.ndarray, shape (N,)
        Position on the slide, µm.
    """

    identity: HashArray
    x_um: FloatArray
    y_um: FloatArray

    def __len__(self) -> int:
        return len(self.identity)

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0) -> FloatArray:
        """One number for each point, even between ``low`` and ``high``; another ``name``, other numbers."""
        return low + (high - low) * to_uniform(mix(self.identity ^ _channel(name)))

    def normal(self, name: str, mean: float = 0.0, sd: float = 1.0) -> FloatArray:
        """One normally distributed number for each point."""
        return np.asarray(mean + sd * ndtri(np.clip(self.uniform(name), 1e-6, 1 - 1e-6)), np.float64)

    def keep(self, mask: npt.NDArray[np.bool_]) -> Sites:
        """The points where ``mask``, shape (N,), is true."""
        return Sites(self.identity[mask], self.x_um[mask], self.y_um[mask])

    def children(self, count: int) -> tuple[Sites, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """``count`` points for each point, at its position.

        Returns
        -------
        sites : Sites
            The N·count children, those of one parent together.
        parent, number : np.ndarray, shape (N·count,)
            Index of each child's parent, and the child's number from 0 to count − 1.
        """
        parent = np.repeat(np.arange(len(self)), count)
        number = np.tile(np.arange(count), len(self))
        identity = mix(self.identity[parent] + number.astype(np.uint64) * _GOLDEN)
        return Sites(identity, self.x_um[parent], self.y_um[parent]), parent, number

    def moved(self, dx_um: FloatArray, dy_um: FloatArray) -> Sites:
        """The same points, shifted, with the same random numbers."""
        return Sites(self.identity, self.x_um + dx_um, self.y_um + dy_um)


@dataclass(frozen=True)
class Layer:
    """One of the layers that a specimen's objects are dealt to.

    Parameters
    ----------
    seed : int
        Seed of the specimen.
    index, count : int
        Which layer of how many; each object belongs to exactly one.
    """

    seed: int
    index: int = 0
    count: int = 1

    def key(self, purpose: str) -> HashArray:
        """Key of this layer's own textures."""
        return make_key(self.seed, f"{purpose}/{self.index}")

    def scatter(self, purpose: str, view: View, pitch_um: float, *, jitter: float, reach_um: float) -> Sites:
        """This layer's share of the points that :func:`scatter` finds; those of all layers together are one slide's."""
        return self.deal(self.scatter_through(purpose, view, pitch_um, jitter=jitter, reach_um=reach_um))

    def scatter_through(self, purpose: str, view: View, pitch_um: float, *, jitter: float, reach_um: float) -> Sites:
        """Points that go through all layers alike."""
        return scatter(make_key(self.seed, purpose), view, pitch_um, jitter=jitter, reach_um=reach_um)

    def deal(self, sites: Sites) -> Sites:
        """The sites that belong to this layer."""
        if self.count == 1:
            return sites
        return sites.keep(np.floor(sites.uniform("layer") * self.count) == self.index)


def join(groups: list[Sites]) -> Sites:
    """All points of several groups."""
    return Sites(*(np.concatenate([getattr(group, name) for group in groups]) for name in ("identity", "x_um", "y_um")))


def scatter(key: HashArray, view: View, pitch_um: float, *, jitter: float, reach_um: float) -> Sites:
    """Points of a jittered square lattice, each row shifted by chance, in and around a view.

    A lattice, not pure chance, so that any field of a given size holds at least so many points and at most so many.

    Parameters
    ----------
    key : np.ndarray, shape (1,)
        From :func:`make_key`.
    view : View
        Where points are wanted.
    pitch_um : float
        Spacing of the lattice, µm.
    jitter : float
        Each point lies within ± jitter/2 pitches of its place, in x and in y.
    reach_um : float
        Points this far outside the view are returned too, µm: the largest radius of what stands on them.
    """
    far = reach_um + jitter * pitch_um / 2
    ix = _indices(view.columns_um, far + pitch_um / 2, pitch_um)
    iy = _indices(view.rows_um, far, pitch_um)
    grid_x, grid_y = np.meshgrid(ix, iy)
    identity = hash_sites(key, grid_x.ravel(), grid_y.ravel())
    shift = to_uniform(hash_sites(key, np.zeros_like(iy), iy)) - 0.5
    x = (grid_x + shift[:, None]) * pitch_um
    sites = Sites(identity, np.asarray(x.ravel(), np.float64), np.asarray((grid_y * pitch_um).ravel(), np.float64))
    span = jitter * pitch_um / 2
    return sites.moved(sites.uniform("jitter x", -span, span), sites.uniform("jitter y", -span, span))


def _indices(positions_um: FloatArray, far_um: float, pitch_um: float) -> npt.NDArray[np.int64]:
    first = int(np.floor((positions_um[0] - far_um) / pitch_um))
    last = int(np.ceil((positions_um[-1] + far_um) / pitch_um))
    return np.arange(first, last + 1, dtype=np.int64)
