"""The card of a model: what it was made for, how it is run and how well it did, as strict as it must be to be trusted.

A card is what our own block of a package's ``rdf.yaml`` says. It holds numbers and text only; weights and graphs are
members of the package beside it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.selection import SelectionSettings
from napari_autofocus.focus.estimate import DecisionSettings
from napari_autofocus.optics import Objective

CONFIG_VERSION = 1
"""Version of our own block; a package of a later version is refused, one of an earlier version would be converted."""
SIGN_CONVENTION = (
    "defocus_um = focus direction x (z_um - best_z_um), in micrometres: positive where sample and objective are too"
    " close. To refocus, move the focus drive by -defocus_um x focus direction; the focus direction is +1 where a"
    " growing z_um brings sample and objective together, -1 where it moves them apart."
)
NORMALISATION = (
    "Patches reach the network as float32 in [0, 1]: grey value divided by the full scale of the image's type (255 for"
    " 8 bit, 65535 or the camera's own full scale for 16 bit), channels in RGB order. All further normalisation is"
    " inside the graph."
)

Positive = Annotated[float, Field(gt=0)]
Colour = Literal["rgb", "mono"]
FocusKind = Literal["one-shot", "two-shot"]


class CardPart(BaseModel):
    """What all parts of a card share: no unknown keys, no conversions, no NaN, no change once made."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class CardOptics(CardPart):
    """The optics a model was trained for.

    Parameters
    ----------
    magnification, na : float
        Of the objective.
    immersion : str
        As :class:`~napari_autofocus.optics.Objective` spells it.
    pixel_size_um : float
        Size of a camera pixel in the sample, µm.
    colour : {'rgb', 'mono'}
        What the camera sees.
    """

    magnification: Positive
    na: Positive
    immersion: str = "air"
    pixel_size_um: Positive
    colour: Colour = "rgb"

    @property
    def channels(self) -> int:
        """Channels of an image: 3 in colour, otherwise 1."""
        return 3 if self.colour == "rgb" else 1

    @property
    def objective(self) -> Objective:
        """The objective with its camera; its depth of field is the computed one, the model's own is on the card."""
        plain = Objective(self.magnification, self.na, self.immersion)
        return plain.with_pixel_size(self.pixel_size_um)

    @classmethod
    def of(cls, objective: Objective, colour: Colour = "rgb") -> CardOptics:
        """The optics of an objective with the camera behind it."""
        return cls(
            magnification=float(objective.magnification),
            na=float(objective.na),
            immersion=objective.immersion,
            pixel_size_um=objective.pixel_size_um,
            colour=colour,
        )


class NetworkCard(CardPart):
    """How the trainable network behind a graph is built: the name of its architecture, and its settings."""

    architecture: str
    settings: dict[str, JsonValue] = {}


class TrainingRecord(CardPart):
    """How a model came about, for whoever wants to make it again.

    Parameters
    ----------
    seed : int
        Seed of the training.
    minutes : float
        Time spent training, over all its runs.
    finished : datetime.date
        Day it was done.
    code_version : str
        Version of this project that trained it.
    patches_seen : int or None
        Number of training patches, repetitions counted.
    details : dict
        Whatever else the training recorded (losses, learning rates, data); JSON values.
    """

    seed: int
    minutes: Annotated[float, Field(ge=0)]
    finished: datetime.date
    code_version: str
    patches_seen: int | None = None
    details: dict[str, JsonValue] = {}


class PackageCard(CardPart):
    """What is said of every model, whatever it is for.

    Parameters
    ----------
    name, description : str
        Name as users type it (``brightfield-20x``), and one paragraph.
    optics : CardOptics
        What it was trained for; other optics are refused until the user insists.
    stains : tuple of str
        What it was trained on.
    evaluation : dict
        Measured figures.
    training : TrainingRecord
        How it was made.
    """

    config_version: Literal[1] = 1
    kind: str
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$")]
    description: Annotated[str, Field(max_length=1000)]
    optics: CardOptics
    stains: tuple[str, ...] = ()
    evaluation: dict[str, JsonValue] = {}
    training: TrainingRecord

    def to_dict(self) -> dict[str, Any]:
        """The card in types that JSON and YAML know."""
        return dict(self.model_dump(mode="json"))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The card that :meth:`to_dict` gave.

        Raises
        ------
        InputError
            If a value is missing, unknown, of the wrong type, NaN or infinite; the first fault is named.
        """
        try:
            return cls.model_validate_json(json.dumps(values, allow_nan=False))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in fault["loc"]) or "the card"
            raise InputError(f"The model's card is wrong at {place}: {fault['msg'].lower()}.") from error
        except (ValueError, TypeError) as error:
            raise InputError(f"The model's card holds what JSON cannot: {error}.") from error


class ModelCard(PackageCard):
    """All that is said about a model that tells defocus.

    Parameters
    ----------
    kind : {'one-shot', 'two-shot'}
        How many frames it takes.
    dz_um : float or None
        Defocus of the second shot minus the first's, µm; of models of two shots, None of others.
    patch_px, stride_px, reduction : int
        Side of a patch and distance of neighbouring patches, px; how many pixels of the frame one pixel of the
        overview that the importance graph sees stands for, along each side.
    selection, decision
        How patches are chosen, and how their predictions become one estimate.
    defocus_network, importance_network : NetworkCard
        How the trainable networks are built.
    name, description, optics, stains, evaluation, training
        As for every :class:`PackageCard`; the keys of ``evaluation`` are those that ``napari-autofocus evaluate``
        prints.
    """

    kind: FocusKind = "one-shot"
    dz_um: Positive | None = None
    patch_px: Annotated[int, Field(ge=16, le=1024)] = 128
    stride_px: Annotated[int, Field(ge=8, le=1024)] = 64
    reduction: Annotated[int, Field(ge=1, le=64)] = 8
    selection: SelectionSettings
    decision: DecisionSettings
    defocus_network: NetworkCard
    importance_network: NetworkCard
    sign_convention: str = SIGN_CONVENTION
    normalisation: str = NORMALISATION

    @model_validator(mode="after")
    def _shots_fit(self) -> ModelCard:
        if (self.kind == "two-shot") != (self.dz_um is not None):
            raise ValueError("models of two shots state dz_um, others do not")
        return self

    @model_validator(mode="after")
    def _grid_fits_the_overview(self) -> ModelCard:
        if self.patch_px % self.reduction or self.stride_px % self.reduction:
            raise ValueError(
                f"a reduction of {self.reduction} does not divide patches of {self.patch_px} px at {self.stride_px} px"
            )
        return self

    @property
    def range_um(self) -> float:
        """The model answers for defocus within plus or minus this, µm."""
        return self.decision.range_um

    @property
    def dof_um(self) -> float:
        """Depth of field that the model's figures are counted in, µm."""
        return self.decision.dof_um


class PairCard(ModelCard):
    """All that is said about a model that tells defocus from two shots; :attr:`dz_um` is always stated."""

    kind: Literal["two-shot"] = "two-shot"
    dz_um: Positive
