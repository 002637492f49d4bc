"""Options of ``napari-autofocus evaluate``: which slides are simulated, and what befalls the frames."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.models.dataset_evaluation import EvaluationSettings
    from napari_autofocus.models.disturbed.frames import Disturbance
    from napari_autofocus.models.labelled_stacks import ReadingSettings
    from napari_autofocus.models.simulated.checks import CheckSettings

SLIDES = "Simulated slides"

Disturb = Annotated[
    list[str] | None,
    typer.Option(
        "--disturb",
        metavar="NAME=STRENGTH",
        help="What befalls every frame before the model sees it, as in jpeg=75 or motion-um=1; may be repeated. A name"
        " that does not exist is answered with those that do.",
    ),
]
CheckedFields = Annotated[
    int | None,
    typer.Option("--fields", help="Slides of each density, a field of each; 8 unless given.", rich_help_panel=SLIDES),
]
CheckedDraws = Annotated[
    int | None,
    typer.Option("--draws", help="Frames of each field, at random defocus; 4 unless given.", rich_help_panel=SLIDES),
]
CheckedSeed = Annotated[
    int | None, typer.Option("--seed", help="Another seed, other slides; 0 unless given.", rich_help_panel=SLIDES)
]
CheckedStains = Annotated[
    list[str] | None,
    typer.Option("--stain", help="Instead of the model's own stains; may be repeated.", rich_help_panel=SLIDES),
]
CheckedDensities = Annotated[
    list[str] | None,
    typer.Option(
        "--density",
        help="dense, sparse, extremely-sparse or empty; the first three unless given. May be repeated.",
        rich_help_panel=SLIDES,
    ),
]


@dataclass(frozen=True)
class SlideOptions:
    """What the options say of simulated slides; None or nothing where they are silent."""

    fields: int | None
    draws: int | None
    seed: int | None
    stains: tuple[str, ...]
    densities: tuple[str, ...]

    def check_settings(self, settings: EvaluationSettings) -> CheckSettings:
        """What to simulate."""
        from napari_autofocus.models.simulated.checks import CheckSettings

        said = {each.name: getattr(self, each.name) for each in fields(self)}
        chosen = {name: value for name, value in said.items() if value not in (None, ())}
        if settings.pixel_size_um is not None and settings.lens is None:
            raise InputError("--pixel-um changes a simulated objective: name that too, with --objective.")
        lens = settings.lens
        if lens is not None and settings.pixel_size_um is not None:
            lens = lens.with_pixel_size(settings.pixel_size_um)
        return CheckSettings(**chosen, lens=lens, insist=settings.insist, disturbances=settings.disturbances)

    def folder_instead(self, dataset: Path | None) -> Path:
        """The folder to read, where nothing is to be simulated.

        Raises
        ------
        InputError
            If there is none, or an option speaks of simulated slides.
        """
        given = [name for name in _SPELLED if getattr(self, name) not in (None, ())]
        if given:
            raise InputError(f"{_SPELLED[given[0]]} speaks of simulated slides; add --simulated, or leave it out.")
        if dataset is None:
            raise InputError("Nothing to evaluate on: name a folder of z-stacks, or add --simulated.")
        return dataset


_SPELLED = {"fields": "--fields", "draws": "--draws", "seed": "--seed", "stains": "--stain", "densities": "--density"}


def refuse_with_simulated(dataset: Path | None, reading: ReadingSettings) -> None:
    """Raise InputError where somebody says how to read files although none are read."""
    if dataset is not None:
        raise InputError(f"Evaluate either on {dataset} or on simulated slides (--simulated), not on both.")
    spelled = {"step_um": "--step-um", "channel": "--channel", "focus_direction": "--focus-direction"}
    for name, option in spelled.items():
        if getattr(reading, name) is not None:
            raise InputError(f"{option} says how to read files, and --simulated reads none; leave it out.")


def parse_disturbances(texts: list[str] | None) -> tuple[Disturbance, ...]:
    """What befalls the frames.

    Raises
    ------
    InputError
        If one is not NAME=STRENGTH, is unknown, or stands there twice.
    """
    if not texts:
        return ()
    from napari_autofocus.models.disturbed.frames import Disturbance

    found = tuple(Disturbance.parse(text) for text in texts)
    names = [each.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"The disturbance {twice} stands there {names.count(twice)} times; give it once.")
    return found
