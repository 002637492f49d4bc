"""The model that a command uses where none is named: the one that fits optics, camera and sample; it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_autofocus.cli.parts.output import say
from napari_autofocus.cli.parts.stand import Stand, lens_of
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.microscope.protocol import Microscope
    from napari_autofocus.models.suggestion import Sight


def fitting_model(sight: Sight) -> str:
    """Name of the model of one shot that fits, told on standard error.

    Raises
    ------
    InputError
        If none does: the nearest, why it does not fit, and what to do.
    """
    from napari_autofocus.models.library import installed_models
    from napari_autofocus.models.suggestion import suggest_model

    suggestion = suggest_model(installed_models(), sight)
    if suggestion.model is None:
        raise InputError(f"{suggestion.sentence()} Or name a model all the same: --model NAME --insist.")
    say(f"{suggestion.sentence()} Name another by --model.")
    return suggestion.model.name


def nearest_model(sight: Sight) -> str | None:
    """Name of the model of one shot that fits, or comes nearest and reads frames of the same colour; None if none."""
    from napari_autofocus.models.library import installed_models
    from napari_autofocus.models.package import ModelCard
    from napari_autofocus.models.suggestion import suggest_model

    alike = [
        model
        for model in installed_models()
        if isinstance(model.card, ModelCard) and sight.colour in (None, model.card.optics.colour)
    ]
    suggestion = suggest_model(alike, sight)
    found = suggestion.model or suggestion.nearest
    return None if found is None else found.name


def simulated_sight(stand: Stand, stain: str, camera: str | None) -> Sight:
    """What the simulated microscope will show."""
    from napari_autofocus.models.suggestion import Sight
    from napari_autofocus.simulation.cameras import usual_colour

    known = None if stain == "mixed" else stain
    return Sight(lens_of(stand), "mono" if (camera or usual_colour(stain)) == "mono" else "rgb", known)


def real_sight(microscope: Microscope, optics: ImageOptics | None) -> Sight:
    """What a frame shows that is taken now; nothing moves.

    Raises
    ------
    InputError
        If nobody said which objective it is taken through.
    HardwareError
        If the camera does not answer.
    """
    from napari_autofocus.models.suggestion import Sight

    lens = None if optics is None else optics.objective
    if lens is None:
        raise InputError("Which model fits cannot be told: give --objective, as in 20x/0.75, or --model.")
    with microscope.restoring():
        frame = microscope.snap()
    seen = lens if frame.pixel_size_um is None else lens.with_pixel_size(frame.pixel_size_um)
    return Sight.of(frame.image, seen, frame.bit_depth)


def real_optics(stand: Stand, microscope: Microscope) -> ImageOptics | None:
    """How a real microscope takes its frames; the pixel size that it states itself goes before any other.

    Raises
    ------
    InputError
        If nobody states the size of a pixel.
    """
    from napari_autofocus.focus.estimate import ImageOptics

    lens = lens_of(stand)
    if lens is None:
        return None
    if stand.pixel_um is None and microscope.snap().pixel_size_um is None:
        raise InputError("The microscope does not state the size of its pixels: give --pixel-um, in µm in the sample.")
    return ImageOptics(lens)
