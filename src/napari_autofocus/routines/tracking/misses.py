"""Rounds of a hold of focus that say nothing about focus, and when there are too many of them in a row."""

from __future__ import annotations

import math
from collections import Counter

from napari_autofocus.focus.estimate import FocusEstimate, Verdict
from napari_autofocus.records import HoldEnd

_ENDS: dict[Verdict, HoldEnd] = {
    "flat": "unsure",  # a number that is none
    "tilted": "unsure",
    "uneven": "uneven",
    "no_content": "no_content",
    "out_of_range": "out_of_range",
    "unsure": "unsure",
}


def is_usable(estimate: FocusEstimate) -> bool:
    """Whether it is trusted, and a number: NaN never becomes a move."""
    return estimate.trusted and estimate.defocus_um is not None and math.isfinite(estimate.defocus_um)


def why_not_used(estimate: FocusEstimate) -> str:
    """Why an estimate moves nothing, a sentence."""
    if estimate.trusted:
        return f"The model's answer is no number ({estimate.defocus_um})."
    return " ".join(estimate.reasons) or f"Verdict on the frame: {estimate.verdict}."


class Misses:
    """Counts rounds without an estimate to trust.

    Parameters
    ----------
    most : int
        So many in a row are too many.

    Attributes
    ----------
    count : int
        All of them so far, in a row or not.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._row: list[tuple[HoldEnd, str]] = []
        self.count = 0

    def add(self, kind: HoldEnd, why: str) -> None:
        """One more; ``kind`` is the end that it may become."""
        self.count += 1
        self._row.append((kind, why))

    def add_estimate(self, estimate: FocusEstimate) -> None:
        """One more: an estimate that is not usable."""
        self.add(_ENDS[estimate.verdict], why_not_used(estimate))

    def excuse(self) -> None:
        """One more, but no reason to stop."""
        self.count += 1
        self._row.clear()

    def clear(self) -> None:
        """The row is broken."""
        self._row.clear()

    @property
    def verdict(self) -> tuple[HoldEnd, str] | None:
        """What the hold ends with, and why, where there are too many in a row: the commonest kind of them."""
        if len(self._row) < self._most:
            return None
        kind = Counter(name for name, _ in self._row).most_common(1)[0][0]
        last = next(why for name, why in reversed(self._row) if name == kind)
        return kind, f"No estimate to trust in {self._most} rounds in a row. {last}"
