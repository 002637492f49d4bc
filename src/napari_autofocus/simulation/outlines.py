"""Round, oval and lobed outlines drawn softly on the camera's pixels: what nuclei, cells and glands are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.scatter import Sites
from napari_autofocus.simulation.texture import ease
from napari_autofocus.simulation.view import View

FloatArray = npt.NDArray[np.float64]
FloatImage = npt.NDArray[np.float32]
FloatStack = npt.NDArray[np.float32]

# Outlines of at most this many pixels across are worked on together.
_TOGETHER_PX = 96
_STACK_ELEMENTS = 400_000


@dataclass(frozen=True, eq=False)
class Outlines:
    """Ovals whose radius varies smoothly around them.

    Parameters
    ----------
    sites : Sites
        Where the N outlines lie.
    long_um, short_um : np.ndarray, shape (N,)
        Half axes, µm.
    angle : np.ndarray, shape (N,)
        Direction of the long axis, radians from x towards y.
    lobes : np.ndarray, shape (N, 4)
        Relative departures of the radius: cosine and sine of twice the angle around, cosine and sine of three times.
    """

    sites: Sites
    long_um: FloatArray
    short_um: FloatArray
    angle: FloatArray
    lobes: FloatArray

    def __len__(self) -> int:
        return len(self.sites)

    @classmethod
    def draw_lots(
        cls, sites: Sites, radius_um: tuple[float, float], *, stretch: float = 1.0, lobed: float = 0.0
    ) -> Outlines:
        """An outline at each site, of random radius, direction and shape.

        Parameters
        ----------
        radius_um : tuple of float
            Smallest and largest mean radius, µm.
        stretch : float
            Largest ratio of the half axes.
        lobed : float
            Standard deviation of each lobe.
        """
        radius = sites.uniform("radius", *radius_um)
        ratio = np.sqrt(sites.uniform("stretch", 1.0, stretch))
        lobes = np.stack([sites.normal(f"lobe {i}", 0, lobed) for i in range(4)], axis=1)
        return cls(
            sites, radius * ratio, radius / ratio, sites.uniform("angle", 0, 2 * np.pi), np.clip(lobes, -0.3, 0.3)
        )

    @property
    def reach_um(self) -> FloatArray:
        """Radius beyond which no part of each outline lies, shape (N,), µm."""
        bulge = 1 + np.hypot(self.lobes[:, 0], self.lobes[:, 1]) + np.hypot(self.lobes[:, 2], self.lobes[:, 3])
        return np.asarray(self.long_um * bulge, np.float64)

    def keep(self, mask: npt.NDArray[np.bool_]) -> Outlines:
        """The outlines where ``mask``, shape (N,), is true."""
        return Outlines(
            self.sites.keep(mask), self.long_um[mask], self.short_um[mask], self.angle[mask], self.lobes[mask]
        )

    def along(
        self, index: npt.NDArray[np.int64], theta: FloatArray, inset_um: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Points inside outlines, relative to their centres, and the direction outwards there.

        Parameters
        ----------
        index : np.ndarray, shape (K,)
            Which outline each point belongs to.
        theta : np.ndarray, shape (K,)
            Where around the outline, radians.
        inset_um : np.ndarray, shape (K,)
            How far inside, µm.

        Returns
        -------
        dx_um, dy_um, outwards : np.ndarray, shape (K,)
            Offsets, µm, and a direction, radians.
        """
        lobes, angle = self.lobes[index], self.angle[index]
        radius = 1 + lobes[:, 0] * np.cos(2 * theta) + lobes[:, 1] * np.sin(2 * theta)
        radius = radius + lobes[:, 2] * np.cos(3 * theta) + lobes[:, 3] * np.sin(3 * theta)
        radius = radius * (1 - inset_um / np.sqrt(self.long_um * self.short_um)[index])
        u, v = self.long_um[index] * radius * np.cos(theta), self.short_um[index] * radius * np.sin(theta)
        dx, dy = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
        return dx, dy, np.arctan2(dy, dx)

    def depth_at(self, x_um: FloatArray, y_um: FloatArray, lowest_um: float) -> FloatArray:
        """How deep inside the nearest outline each point lies, shape (N,), µm; ``lowest_um`` where farther outside."""
        depth = np.full(len(x_um), lowest_um)
        reach = self.reach_um - lowest_um
        for number in range(len(self)):
            dx, dy = x_um - self.sites.x_um[number], y_um - self.sites.y_um[number]
            near = np.flatnonzero((np.abs(dx) < reach[number]) & (np.abs(dy) < reach[number]))
            offsets = (offset[near].astype(np.float32).reshape(1, 1, -1) for offset in (dx, dy))
            found = self.distance_um(np.array([number]), *offsets)
            depth[near] = np.maximum(depth[near], found.ravel())
        return depth

    def distance_um(
        self, index: npt.NDArray[np.int64], dx_um: npt.NDArray[np.float32], dy_um: npt.NDArray[np.float32]
    ) -> FloatStack:
        """How far inside its outline (negative: outside) each point lies, to first order, µm.

        Parameters
        ----------
        index : np.ndarray, shape (K,)
            Which outlines.
        dx_um, dy_um : np.ndarray, shape (K, 1, W) and (K, H, 1)
            Points relative to the centre of their outline, µm.
        """
        shape = (len(index), 1, 1)
        cos, sin = np.cos(self.angle[index]), np.sin(self.angle[index])
        a, b = self.long_um[index], self.short_um[index]
        u = _column(cos / a, shape) * dx_um + _column(sin / a, shape) * dy_um
        v = _column(cos / b, shape) * dy_um - _column(sin / b, shape) * dx_um
        uu, vv = u * u, v * v
        square = uu + vv + np.float32(1e-6)
        rho = np.sqrt(square)
        edge = self._edge(index, u, v, uu, vv, square, rho)
        slope = np.sqrt(uu * _column(1 / a**2, shape) + vv * _column(1 / b**2, shape) + _column(1e-6 / a**2, shape))
        return np.asarray((edge - rho) * rho / slope, np.float32)

    def _edge(
        self, index: npt.NDArray[np.int64], u: FloatStack, v: FloatStack, uu: FloatStack, vv: FloatStack,
        square: FloatStack, rho: FloatStack,
    ) -> FloatStack | float:  # fmt: skip
        """Radius of the outline in the direction of each point, in half axes."""
        lobes = self.lobes[index]
        if not lobes.any():
            return 1.0
        c2, s2, c3, s3 = (_column(lobes[:, i], (len(index), 1, 1)) for i in range(4))
        twice = (c2 * (uu - vv) + 2 * s2 * u * v) / square
        thrice = (c3 * u * (uu - 3 * vv) + s3 * v * (3 * uu - vv)) / (square * rho)
        return np.asarray(1 + twice + thrice, np.float32)


@dataclass(frozen=True, eq=False)
class Stamp:
    """Some outlines, each in its own small box of pixels.

    Parameters
    ----------
    index : np.ndarray, shape (K,)
        Which outlines.
    top, left : np.ndarray, shape (K,)
        First row and column of each box; may lie outside the view.
    distance_um : np.ndarray, shape (K, H, W)
        Distance inside the outline, µm.
    pixel_size_um : float
        Size of a pixel, µm.
    """

    index: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    distance_um: FloatStack
    pixel_size_um: float

    def coverage(self, softness_um: float = 0.0, inset_um: float = 0.0) -> FloatStack:
        """1 inside, 0 outside, eased over ``softness_um`` or one pixel about a line ``inset_um`` inside the outline."""
        width = np.float32(max(softness_um, 1.2 * self.pixel_size_um))
        return ease((self.distance_um - np.float32(inset_um)) / width + np.float32(0.5))

    def pick(self, values: FloatArray) -> FloatStack:
        """``values``, shape (N,), of these outlines, ready to multiply a stack."""
        return _column(values[self.index], (len(self.index), 1, 1))

    def add(self, canvas: FloatImage, stack: FloatStack) -> None:
        """Add each box of ``stack``, shape (K, H, W), to ``canvas``, shape (Y, X)."""
        for box, part in self._parts(canvas.shape, stack):
            canvas[box] += part

    def raise_to(self, canvas: FloatImage, stack: FloatStack) -> None:
        """Let ``canvas`` be at least each box of ``stack``."""
        for box, part in self._parts(canvas.shape, stack):
            np.maximum(canvas[box], part, out=canvas[box])

    def _parts(self, shape: tuple[int, ...], stack: FloatStack) -> Iterator[tuple[tuple[slice, slice], FloatImage]]:
        height, width = stack.shape[1:]
        for top, left, image in zip(self.top.tolist(), self.left.tolist(), stack, strict=True):
            y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + height, shape[0]), min(left + width, shape[1])
            if y0 < y1 and x0 < x1:
                yield (slice(y0, y1), slice(x0, x1)), image[y0 - top : y1 - top, x0 - left : x1 - left]


def stamps(view: View, outlines: Outlines, *, beyond_um: float = 0.0) -> Iterator[Stamp]:
    """Lay outlines on the pixels of a view, small ones many at a time.

    Parameters
    ----------
    beyond_um : float
        How far outside the outlines their boxes reach, µm.
    """
    pixel = view.pixel_size_um
    column = (outlines.sites.x_um - view.columns_um[0]) / pixel
    row = (outlines.sites.y_um - view.rows_um[0]) / pixel
    half = np.ceil((outlines.reach_um + beyond_um) / pixel).astype(np.int64) + 2
    seen = (column > -half) & (column < view.shape[1] + half) & (row > -half) & (row < view.shape[0] + half)
    for index, size in _groups(np.flatnonzero(seen), half):
        top, left = (np.round(place[index]).astype(np.int64) - size for place in (row, column))
        first_y, first_x, height, width = 0, 0, 2 * size + 1, 2 * size + 1
        if len(index) == 1:
            first_y, first_x = max(0, -int(top[0])), max(0, -int(left[0]))
            height = min(height, view.shape[0] - int(top[0])) - first_y
            width = min(width, view.shape[1] - int(left[0])) - first_x
            if height < 1 or width < 1:
                continue
        top, left = top + first_y, left + first_x
        dy = (top[:, None] + np.arange(height) - row[index, None]) * pixel
        dx = (left[:, None] + np.arange(width) - column[index, None]) * pixel
        distance = outlines.distance_um(index, dx[:, None, :].astype(np.float32), dy[:, :, None].astype(np.float32))
        yield Stamp(index, top, left, distance, pixel)


def _groups(index: npt.NDArray[np.int64], half: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.int64], int]]:
    """Outlines of like size together, with the half width of their box, px; large ones alone."""
    order = index[np.argsort(half[index], kind="stable")]
    start = 0
    while start < len(order):
        size = int(half[order[start]])
        limit = 1 if 2 * size > _TOGETHER_PX else max(1, _STACK_ELEMENTS // (2 * size + 5) ** 2)
        alike = order[start : start + limit]
        alike = alike[half[alike] <= size + 2]
        yield alike, int(half[alike[-1]])
        start += len(alike)


def _column(values: npt.NDArray[np.float64], shape: tuple[int, int, int]) -> FloatStack:
    return values.astype(np.float32).reshape(shape)
