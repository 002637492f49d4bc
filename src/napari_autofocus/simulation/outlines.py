"""Round, oval and lobed outlines drawn softly on the camera's pixels: what nuclei, cells and glands are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_autofocus.simulation.boxes import Boxes, boxes, column
from napari_autofocus.simulation.scatter import Sites
from napari_autofocus.simulation.texture import ease
from napari_autofocus.simulation.view import View

FloatArray = npt.NDArray[np.float64]
FloatImage = npt.NDArray[np.float32]
FloatStack = npt.NDArray[np.float32]


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
    lobes : np.ndarray, shape (N, 2·K)
        Relative departures of the radius: cosine and sine of twice the angle around, of three times, and so on.
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
        cls,
        sites: Sites,
        radius_um: tuple[float, float],
        *,
        stretch: float = 1.0,
        lobed: float = 0.0,
        orders: int = 2,
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
        orders : int
            How many orders of lobes: 2 for round shapes, more for angular ones.
        """
        radius = sites.uniform("radius", *radius_um)
        ratio = np.sqrt(sites.uniform("stretch", 1.0, stretch))
        lobes = np.stack([sites.normal(f"lobe {i}", 0, lobed) for i in range(2 * orders)], axis=1)
        angle = sites.uniform("angle", 0, 2 * np.pi)
        return cls(sites, radius * ratio, radius / ratio, angle, np.clip(lobes, -2.5 * lobed, 2.5 * lobed))

    @property
    def reach_um(self) -> FloatArray:
        """Radius beyond which no part of each outline lies, shape (N,), µm."""
        bulge = 1 + np.hypot(self.lobes[:, 0::2], self.lobes[:, 1::2]).sum(axis=1)
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
        turns = np.arange(2, 2 + lobes.shape[1] // 2) * theta[:, None]
        radius = 1 + (lobes[:, 0::2] * np.cos(turns) + lobes[:, 1::2] * np.sin(turns)).sum(axis=1)
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
        cos, sin, a, b = (
            values[index] for values in (np.cos(self.angle), np.sin(self.angle), self.long_um, self.short_um)
        )
        u = column(cos / a) * dx_um + column(sin / a) * dy_um
        v = column(cos / b) * dy_um - column(sin / b) * dx_um
        rho = np.sqrt(u * u + v * v + np.float32(1e-6))
        slope = np.sqrt((u * column(1 / a)) ** 2 + (v * column(1 / b)) ** 2 + column(1e-6 / a**2))
        return np.asarray((self._edge(index, u / rho, v / rho) - rho) * rho / slope, np.float32)

    def _edge(self, index: npt.NDArray[np.int64], cos: FloatStack, sin: FloatStack) -> FloatStack | np.float32:
        """Radius of the outline in the direction of each point, in half axes."""
        lobes = self.lobes[index]
        edge: FloatStack | np.float32 = np.float32(1)
        if not lobes.any():
            return edge
        cos_k, sin_k = cos, sin
        for order in range(lobes.shape[1] // 2):
            cos_k, sin_k = cos_k * cos - sin_k * sin, sin_k * cos + cos_k * sin
            edge = edge + column(lobes[:, 2 * order]) * cos_k + column(lobes[:, 2 * order + 1]) * sin_k
        return edge


@dataclass(frozen=True, eq=False)
class Stamp:
    """Some outlines, each in its own box of pixels.

    Parameters
    ----------
    boxes : Boxes
        K boxes of equal size.
    distance_um : np.ndarray, shape (K, H, W)
        Distance inside the outline, µm.
    pixel_size_um : float
        Size of a pixel, µm.
    """

    boxes: Boxes
    distance_um: FloatStack
    pixel_size_um: float

    def coverage(self, softness_um: float = 0.0, inset_um: float = 0.0) -> FloatStack:
        """1 inside, 0 outside, eased over ``softness_um`` or one pixel about a line ``inset_um`` inside the outline."""
        width = max(softness_um, 1.2 * self.pixel_size_um)
        return ease(self.distance_um * np.float32(1 / width) + np.float32(0.5 - inset_um / width))

    def pick(self, values: FloatArray) -> FloatStack:
        """``values``, shape (N,), of these outlines, ready to multiply a stack."""
        return self.boxes.pick(values)

    def add(self, canvas: FloatImage, stack: FloatStack) -> None:
        """Add each box of ``stack``, shape (K, H, W), to ``canvas``, shape (Y, X)."""
        self.boxes.add(canvas, stack)

    def raise_to(self, canvas: FloatImage, stack: FloatStack) -> None:
        """Let ``canvas`` be at least each box of ``stack``."""
        self.boxes.raise_to(canvas, stack)


def stamps(view: View, outlines: Outlines, *, beyond_um: float = 0.6) -> Iterator[Stamp]:
    """Lay outlines on the pixels of a view, small ones many at a time.

    Parameters
    ----------
    beyond_um : float
        How far outside the outlines their boxes reach, µm: at least half the softest edge to be drawn.
    """
    sites = outlines.sites
    for group in boxes(view, sites.x_um, sites.y_um, outlines.reach_um + beyond_um + view.pixel_size_um):
        yield Stamp(group, outlines.distance_um(group.index, group.dx_um, group.dy_um), view.pixel_size_um)
