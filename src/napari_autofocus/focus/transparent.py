"""Specimens that show by phase alone: their contrast is least in focus, and sharpness says nothing of it."""

from __future__ import annotations

TRANSPARENT_STAINS = frozenset({"unstained"})
"""As models name what they were taught on."""


def is_for_transparent(card: object) -> bool:
    """Whether a model was made for transparent specimens only.

    Parameters
    ----------
    card : object
        What the model was made for; one that names no ``stains`` was made for anything.
    """
    stains = getattr(card, "stains", ())
    return bool(stains) and TRANSPARENT_STAINS.issuperset(stains)
