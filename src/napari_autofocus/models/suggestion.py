"""Which installed model fits a microscope and its sample; where none does, which comes nearest and why it does not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.library import InstalledModel
from napari_autofocus.models.package import ModelCard
from napari_autofocus.models.package.card import Colour
from napari_autofocus.models.seeing.optics_check import differences
from napari_autofocus.optics import Objective

SHINES = "fluorescence"
TRANSPARENT = "unstained"

_THINNED = 8
"""Every so many pixels along each side are looked at to tell what kind of sample a grey frame shows (ours)."""
_BRIGHT_ON_DARK = 2.0
"""Brightest percentile over median of a grey frame that shows signal on a dark ground (ours)."""
_DARK_GROUND = 0.3
"""Median over full scale below which a grey frame has no lit ground; brightfield is exposed to more (ours)."""
_BRIGHTER, _SKEWED = 1.15, 1.0
"""Where full scale is not known: brightest percentile over median, and how far it lies above it in distances of the
darkest one below (ours); transparent specimens reach 1.07, haze of what shines 1.18."""
_COLOURS: dict[Colour, str] = {"rgb": "colour", "mono": "grey"}


@dataclass(frozen=True)
class Sight:
    """What is known of the images to be read.

    Parameters
    ----------
    objective : Objective or None
        With the pixel size of its camera; None where nobody said.
    colour : {'rgb', 'mono'} or None
        Of the camera.
    stain : str or None
        Of the sample, as models name what they were taught on.
    is_guess : bool
        Whether the stain is a guess: it decides between models that fit, and rules none out.
    """

    objective: Objective | None = None
    colour: Colour | None = None
    stain: str | None = None
    is_guess: bool = False

    @classmethod
    def of(cls, image: npt.NDArray[Any], objective: Objective | None, bit_depth: int | None = None) -> Sight:
        """What a frame, shape (Y, X) or (Y, X, 3), shows of itself."""
        return cls(objective, "rgb" if image.ndim == 3 else "mono", stain_seen(image, bit_depth), is_guess=True)


@dataclass(frozen=True)
class Suggestion:
    """The models that fit, best first, and the one that comes nearest where none does.

    Parameters
    ----------
    sight : Sight
        What they were asked to fit.
    fitting : tuple of InstalledModel
        Shipped ones first.
    nearest : InstalledModel or None
        Where none fits; None where there is none at all.
    misfits : tuple of str
        In what the nearest one does not fit, as parts of a sentence.
    """

    sight: Sight
    fitting: tuple[InstalledModel, ...] = ()
    nearest: InstalledModel | None = None
    misfits: tuple[str, ...] = ()

    @property
    def model(self) -> InstalledModel | None:
        """The one to use."""
        return self.fitting[0] if self.fitting else None

    def sentence(self) -> str:
        """What to use, or why there is nothing to use and what to do."""
        if self.model is not None:
            return f"{self.model.name} fits {_seen_words(self.sight)}."
        if self.nearest is None:
            return "No model of that kind is installed; put one into your own folder (the command models names it)."
        why = ", and ".join(self.misfits)
        seen = _seen_words(self.sight)
        return f"No installed model fits {seen}: {self.nearest.name} comes nearest, but {why}. {self.advice()}"

    def advice(self) -> str:
        """What to do where none fits."""
        card = self.nearest.card if self.nearest is not None else None
        colour = self.sight.colour
        if isinstance(card, ModelCard) and colour is not None and colour != card.optics.colour:
            if colour == "rgb":
                return "Take grey frames: with a monochrome camera, or one colour of this one."
            return "Use a colour camera, or calibrate a model of your own on this one (napari-autofocus calibrate)."
        return "Calibrate one for your microscope (napari-autofocus calibrate), which takes some minutes."


def suggest_model(models: Iterable[InstalledModel], sight: Sight, kind: str = "one-shot") -> Suggestion:
    """Choose among installed models.

    Parameters
    ----------
    models : iterable of InstalledModel
        Broken ones and those of another kind are passed over.
    sight : Sight
        What the model is for; what is not known of it rules nothing out.
    kind : {'one-shot', 'two-shot'}
        How many frames it takes.
    """
    known = [model for model in models if isinstance(model.card, ModelCard) and model.card.kind == kind]
    known.sort(key=lambda model: model.place != "shipped")
    fitting = tuple(model for model in known if not misfits(model.card, sight))
    if fitting or not known:
        return Suggestion(sight, fitting)
    if sight.stain is not None and sight.is_guess:
        return suggest_model(known, replace(sight, stain=None), kind)
    nearest = min(known, key=lambda model: _distance(model.card, sight))
    return Suggestion(sight, (), nearest, misfits(nearest.card, sight))


def misfits(card: object, sight: Sight) -> tuple[str, ...]:
    """In what a model does not fit, as parts of a sentence whose subject is the model; empty where it does."""
    if not isinstance(card, ModelCard):
        return ("it tells no defocus",)
    found = []
    if not _sees_alike(card, sight):
        assert sight.objective is not None
        found.append(f"it was made for {_lens(card.optics.objective)}")
    if sight.colour is not None and sight.colour != card.optics.colour:
        found.append(f"it reads {_COLOURS[card.optics.colour]} frames where these are {_COLOURS[sight.colour]}")
    if not _taught_on(card, sight.stain):
        found.append(f"it was taught on {_listed(card.stains)}")
    return tuple(found)


def stain_seen(image: npt.NDArray[Any], bit_depth: int | None = None) -> str | None:
    """What kind of sample a grey frame shows: what shines on a dark ground, or what a lit ground shines through.

    A grey frame of a stained slide cannot be told from a transparent one, so that the latter is guessed.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        A frame; of one in colour nothing is told (None).
    bit_depth : int, optional
        Bits that the camera uses.
    """
    if image.ndim != 2 or image.size == 0:
        return None
    thinned = image[::_THINNED, ::_THINNED]
    dark, median, bright = (float(value) for value in np.percentile(thinned, (1, 50, 99)))
    if bright >= _BRIGHT_ON_DARK * max(median, 1e-9):
        return SHINES
    if bit_depth is not None or image.dtype == np.uint8:
        return SHINES if median < _DARK_GROUND * (2 ** (bit_depth or 8) - 1) else TRANSPARENT
    is_skewed = bright >= _BRIGHTER * median and bright - median > _SKEWED * (median - dark)
    return SHINES if is_skewed else TRANSPARENT


def _sees_alike(card: ModelCard, sight: Sight) -> bool:
    objective = sight.objective
    return objective is None or not differences(card.optics, ImageOptics(objective), card.optics.colour)


def _taught_on(card: ModelCard, stain: str | None) -> bool:
    return stain is None or not card.stains or stain in card.stains


def _distance(card: object, sight: Sight) -> tuple[float, bool, bool]:
    """How far a model is from what is seen: its optics first, then what it was taught on, then its colour."""
    assert isinstance(card, ModelCard)
    off = 0.0
    if sight.objective is not None and not _sees_alike(card, sight):
        has, wants = sight.objective, card.optics
        ratios = (has.na / wants.na, has.magnification / wants.magnification, has.pixel_size_um / wants.pixel_size_um)
        off = max(abs(math.log(ratio)) for ratio in ratios) + (has.immersion != wants.immersion) + 1e-6
    wrong_colour = sight.colour is not None and sight.colour != card.optics.colour
    return off, not _taught_on(card, sight.stain), wrong_colour


def _seen_words(sight: Sight) -> str:
    parts = [] if sight.colour is None else [f"{_COLOURS[sight.colour]} frames"]
    parts += [] if sight.stain is None else [f"of {_STAINS.get(sight.stain, sight.stain)}"]
    parts += [] if sight.objective is None else [f"through {_lens(sight.objective)}"]
    return " ".join(parts) or "this microscope"


def _lens(objective: Objective) -> str:
    return f"{objective.name} at {objective.pixel_size_um:.4g} µm a pixel"


_STAINS = {
    "he": "H&E",
    "ihc": "IHC",
    "fluorescence": "what shines on a dark ground",
    "beads": "beads",
    "unstained": "unstained cells",
}


def _listed(stains: tuple[str, ...]) -> str:
    names = [_STAINS.get(stain, stain) for stain in stains]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
