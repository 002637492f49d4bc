"""Whether a frame was taken with the optics that a model was made for; if not, every difference in words.

A model asked about other optics is not merely inaccurate: the sign itself can be wrong every time. The tolerances are
ours.
"""

from __future__ import annotations

import math

from napari_autofocus.errors import InputError, OpticsRefused
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.package.card import CardOptics, Colour, PackageCard, PairCard
from napari_autofocus.optics import Objective

MAGNIFICATION_TOLERANCE = 0.01
"""Relative. Makers round it; two objectives of one stand never lie this close."""
NA_TOLERANCE = 0.05
"""Relative. Depth of field goes with NA², so this is 10 % of it."""
PIXEL_TOLERANCE = 0.05
"""Relative. Cameras and tube lenses of one kind differ by less; a binned or resampled image by far more."""
DISTANCE_TOLERANCE = 0.1
"""Relative. What two shots differ by goes with their distance, and so does what is read from it."""

_CONSEQUENCES = {"virtual": "the image may then show what is not there"}
"""By the kind of the model; otherwise :data:`_WRONG_SIGN`."""
_WRONG_SIGN = "then even the sign of the defocus may be wrong"
_COLOURS: dict[Colour, str] = {"rgb": "an RGB image", "mono": "a grey image"}
_IMAGES: dict[Colour, str] = {"rgb": "colour images", "mono": "grey images"}
_CAMERAS: dict[Colour, str] = {"rgb": "a colour camera", "mono": "a monochrome camera (or one channel of the file)"}


def check_optics(
    card: PackageCard, optics: ImageOptics | None, colour: Colour, *, insist: bool = False
) -> tuple[str, ...]:
    """Refuse optics that are unknown or differ from the model's, or return what to warn of where the user insists.

    Parameters
    ----------
    card : PackageCard
        What the model was made for.
    optics : ImageOptics or None
        What is known of the frame's optics.
    colour : {'rgb', 'mono'}
        Of the frame.
    insist : bool
        Do not refuse.

    Returns
    -------
    tuple of str
        A sentence for each difference; empty where there is none.

    Raises
    ------
    OpticsRefused
        Without ``insist``, where anything is unknown or differs.
    """
    found = differences(card.optics, optics, colour)
    if found and not insist:
        raise OpticsRefused(
            f"The model {card.name} refuses this frame. {' '.join(found)} {_way_out(card, optics, colour)}, or insist"
            f" (insist=True, --insist): {_CONSEQUENCES.get(card.kind, _WRONG_SIGN)}.",
            found,
        )
    return found


def _way_out(card: PackageCard, optics: ImageOptics | None, colour: Colour) -> str:
    """What to do about the differences; another camera or model where nothing but the colour differs."""
    if differences(card.optics, optics, card.optics.colour):
        return "State the right optics (--objective, --pixel-um), use a model made for them"
    return f"Use a model made for {_IMAGES[colour]} (the command models lists them), or {_CAMERAS[card.optics.colour]}"


def check_distance(card: PairCard, dz_um: float, *, insist: bool = False) -> tuple[str, ...]:
    """Refuse a distance of two shots that is not the model's, or return what to warn of where the user insists.

    Parameters
    ----------
    card : PairCard
        What the model was made for.
    dz_um : float
        Defocus of the second shot minus the first's, µm; either sign.
    insist : bool
        Do not refuse.

    Raises
    ------
    InputError
        If it is zero or no number; and without ``insist`` where it differs from the model's.
    """
    if not math.isfinite(dz_um) or dz_um == 0:
        raise InputError(
            f"Two shots lie a known distance apart; found {dz_um} µm. State the defocus of the second minus the"
            f" first's (dz_um, --dz-um), {card.dz_um:g} or -{card.dz_um:g} µm for the model {card.name}."
        )
    if abs(abs(dz_um) - card.dz_um) <= DISTANCE_TOLERANCE * card.dz_um * (1 + 1e-9):
        return ()
    found = f"The two shots are {abs(dz_um):.4g} µm apart; the model was made for {card.dz_um:.4g} µm."
    if not insist:
        raise InputError(
            f"The model {card.name} refuses these shots. {found} Take them that far apart, or insist (insist=True,"
            " --insist): then the defocus may be wrong."
        )
    return (found,)


def differences(wanted: CardOptics, optics: ImageOptics | None, colour: Colour) -> tuple[str, ...]:
    """A sentence for each way in which a frame's optics are unknown or unlike the model's."""
    objective = optics.objective if optics is not None else None
    found = _unlike(wanted, objective) if objective is not None else [_unknown(wanted)]
    if colour != wanted.colour:
        found.append(f"This is {_COLOURS[colour]}; the model was made for {_COLOURS[wanted.colour]}.")
    return tuple(found)


def _unknown(wanted: CardOptics) -> str:
    return (
        "The optics of the frame are unknown; the model was made for"
        f" {wanted.objective.name} at {wanted.pixel_size_um:.4g} µm a pixel."
    )


def _unlike(wanted: CardOptics, objective: Objective) -> list[str]:
    numbers = (
        ("magnification", "x", objective.magnification, wanted.magnification, MAGNIFICATION_TOLERANCE),
        ("NA", "", objective.na, wanted.na, NA_TOLERANCE),
        ("pixel size", " µm", objective.pixel_size_um, wanted.pixel_size_um, PIXEL_TOLERANCE),
    )
    found = [
        f"The frame's {name} is {has:.4g}{unit}; the model was made for {wants:.4g}{unit}."
        for name, unit, has, wants, tolerance in numbers
        if abs(has - wants) > tolerance * wants * (1 + 1e-9)
    ]
    if objective.immersion != wanted.immersion:
        found.append(f"The frame's immersion is {objective.immersion}; the model was made for {wanted.immersion}.")
    return found
