"""The card of a virtual refocuser: which pairs of shots it was taught on, and how it is run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from napari_autofocus.models.package.card import NetworkCard, PackageCard, Positive

NORMALISATION = (
    "Shots reach the network as float32 in [0, 1]: grey value divided by the full scale of the image's type (255 for"
    " 8 bit, 65535 or the camera's own full scale for 16 bit), the channels of one shot before those of the other, in"
    " any order of the shots. The answer holds the recovered image in the same units, then its standard deviation."
)


class VirtualCard(PackageCard):
    """All that is said about a virtual refocuser.

    Parameters
    ----------
    kind : {'virtual'}
        Two shots in, the image in focus out.
    dof_um : float
        Depth of field that its figures are counted in, µm.
    half_um : tuple of float
        Least and largest half distance of the two shots it was taught on, µm.
    error_um : float
        Standard deviation, in teaching, of the middle between the shots from focus, µm.
    stride_px : int
        Sides of what the graph takes are multiples of this, px.
    overlap_px : int
        How far from its border an answer depends on what lies beyond, px.
    network : NetworkCard
        How the trainable network is built.
    name, description, optics, stains, evaluation, training
        As for every :class:`PackageCard`.
    """

    kind: Literal["virtual"] = "virtual"
    dof_um: Positive
    half_um: tuple[Positive, Positive]
    error_um: Positive
    stride_px: Annotated[int, Field(ge=1, le=256)] = 16
    overlap_px: Annotated[int, Field(ge=0, le=1024)] = 48
    network: NetworkCard
    normalisation: str = NORMALISATION

    @model_validator(mode="after")
    def _range_rises(self) -> VirtualCard:
        if not self.half_um[0] < self.half_um[1]:
            raise ValueError(f"the distances of the shots must rise; found {self.half_um}")
        return self
