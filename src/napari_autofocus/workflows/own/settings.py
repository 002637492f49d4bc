"""How a model is made of one's own stacks: what a user may ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from napari_autofocus.errors import InputError
from napari_autofocus.models.labelled_stacks import ReadingSettings
from napari_autofocus.optics import Objective
from napari_autofocus.workflows.tuning_found import Found

NEW_KINDS = ("one-shot", "virtual")
"""Kinds of models that can be taught without a base."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


@dataclass(frozen=True)
class OwnSettings:
    """How a model is made of one's own stacks.

    Parameters
    ----------
    minutes : float
        Time to teach; reading the stacks and measuring the model come on top.
    base : str or None
        Name or file of the model to begin with; None to begin anew.
    name : str or None
        Of the new model; that of its file unless given.
    range_um : float or None
        The model is to answer for defocus within ± this, µm; otherwise as far as the planes reach.
    lens : Objective or None
        The objective, in place of what the files say; its camera pixel does not count.
    pixel_size_um : float or None
        Size of a pixel in the sample, µm, in place of what the files say.
    reading : ReadingSettings
        How stacks are opened; the patches are the base's.
    seed : int
        Decides which stacks are held out, and on weights and batches.
    device : str
        That training runs on, as torch names it.
    samples : int
        Patches to show at most, however much time is left.
    folds : int
        Hold every stack out once, in so many models taught beside the one that learns from all, each as long as that
        one; 0 holds a part out.
    kind : {'one-shot', 'virtual'} or None
        What to teach where it begins anew; with a base, that decides.
    found : Found or None
        How tuning found that the second stage of a model of one shot is best taught.
    """

    minutes: float = 5.0
    base: str | None = None
    name: str | None = None
    range_um: float | None = None
    lens: Objective | None = None
    pixel_size_um: float | None = None
    reading: ReadingSettings = field(default_factory=ReadingSettings)
    seed: int = 0
    device: str = "cpu"
    samples: int = 10_000_000
    folds: int = 0
    kind: str | None = None
    found: Found | None = None

    def __post_init__(self) -> None:
        numbers = {"time, in minutes,": self.minutes, "range": self.range_um, "pixel size": self.pixel_size_um}
        for name, value in numbers.items():
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"The {name} must be a positive number; found {value:g}.")
        if self.folds == 1 or self.folds < 0:
            raise InputError(f"Cross-validation takes at least 2 folds, or 0 to do without; found {self.folds}.")
        if self.base is None and self.kind is not None and self.kind not in NEW_KINDS:
            raise InputError(f"Without a base, {' and '.join(NEW_KINDS)} models can be taught; found {self.kind!r}.")
        if self.seed < 0:
            raise InputError(f"The seed is a whole number of at least 0; found {self.seed}.")
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise InputError(
                f"A model's name has letters, digits and . _ + - only, 64 at most; found {self.name!r}, choose another."
            )
