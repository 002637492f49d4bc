"""From the predictions of a frame's patches to one signed defocus with a verdict and its reasons.

No network and no image here: anything that predicts patches is judged alike. The thresholds that are not settings are
ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from napari_autofocus.focus.deciding.field_tilt import FieldTilt
from napari_autofocus.focus.deciding.pooling import robust_scatter
from napari_autofocus.focus.deciding.reading import Reading
from napari_autofocus.focus.deciding.relief import Relief, in_dof, judge_relief, scan_range
from napari_autofocus.focus.deciding.settings import DecisionSettings
from napari_autofocus.focus.deciding.tilt import field_tilt
from napari_autofocus.focus.deciding.uncertainty import (
    FieldFeatures,
    direction_probability,
    features_of,
    field_sigma_um,
)
from napari_autofocus.focus.estimate import FocusEstimate, PatchPrediction, Verdict

SPLIT_SHARE = 0.25  # least share of the patches on either side of focus that makes two groups
SPLIT_WIDTH = 0.2  # scatter within each group over the distance between them
SPLIT_MIRROR = 0.3  # how unlike two groups' distances from focus may be, over their mean, to mirror each other
SECOND_LOOK = "take a second shot a few µm away or run a sweep"


def decide(
    patches: Sequence[PatchPrediction],
    settings: DecisionSettings,
    *,
    field_shape: tuple[int, int],
    pixel_size_um: float | None,
    model: str = "",
    warnings: Sequence[str] = (),
    seconds: float | None = None,
) -> FocusEstimate:
    """Judge a frame by its patches.

    Only patches that were chosen and whose prediction is finite count. The first of these that applies is the verdict:
    ``no_content`` (nothing was worth reading); ``unsure`` (the side of focus is undecided where it matters);
    ``out_of_range``; ``unsure`` (a move would be a guess); then ``flat``, ``tilted`` or ``uneven``.

    Parameters
    ----------
    patches : sequence of PatchPrediction
        Every patch of the grid, in any order.
    settings : DecisionSettings
        The model's.
    field_shape : tuple of int
        Height and width of the frame, px.
    pixel_size_um : float or None
        In the sample, µm; None where unknown, and then no tilt is told.
    model : str
        Name of the model.
    warnings : sequence of str
        What every use of the answer has to say.
    seconds : float, optional
        Time that the predictions took.

    Returns
    -------
    FocusEstimate
    """
    reading = Reading.of(patches, settings, field_shape, pixel_size_um)
    found = _nothing_read(patches) if reading is None else _Case.of(reading, settings).estimate(pixel_size_um)
    left_out = sum(patch.chosen and not patch.counts for patch in patches)
    aside = (f"{left_out} of the patches read gave no finite answer and were left out.",) if left_out else ()
    return replace(
        found,
        reasons=found.reasons + aside,
        tilt=_tilt(found, reading, settings, field_shape, pixel_size_um),
        patches=tuple(patches),
        warnings=tuple(warnings),
        model=model,
        seconds=seconds,
    )


def _tilt(
    found: FocusEstimate,
    reading: Reading | None,
    settings: DecisionSettings,
    field_shape: tuple[int, int],
    pixel_size_um: float | None,
) -> FieldTilt | None:
    """How the sample slopes over a field that has one focus."""
    if reading is None or not found.trusted or not pixel_size_um:
        return None
    field_um = field_shape[0] * pixel_size_um, field_shape[1] * pixel_size_um
    return field_tilt(reading, field_um, settings.least_plane_patches)


@dataclass(frozen=True, eq=False)
class _Case:
    """A frame with patches that count, judged step by step.

    ``mirror`` is the probability that the frame is not its own mirror image in focus, ``direction`` that the sign of
    its value is right; ``half_um`` is half the width of the 90 % interval.
    """

    reading: Reading
    relief: Relief
    features: FieldFeatures
    settings: DecisionSettings
    sigma_um: float
    half_um: float
    mirror: float
    direction: float

    @classmethod
    def of(cls, reading: Reading, settings: DecisionSettings) -> _Case:
        relief, calibration = judge_relief(reading, settings), settings.calibration
        features = features_of(reading, relief, settings.dof_um)
        sigma = float(field_sigma_um(features.patch_sigma_um, features.scatter_um, features.count, calibration))
        mirror = float(direction_probability(features.evidence, calibration))
        direction = mirror if features.sided else _sign_near_focus(features.value_um, sigma, mirror)
        return cls(reading, relief, features, settings, sigma, calibration.interval90 * sigma, mirror, direction)

    @property
    def value(self) -> float:
        return self.relief.value_um

    @property
    def near(self) -> float:
        """Defocus that leaves a field sharp: half the depth of field, µm."""
        return self.settings.dof_um / 2

    def say(self, length_um: float, sign: str = "") -> str:
        return in_dof(length_um, self.settings.dof_um, sign)

    def estimate(self, pixel_size_um: float | None) -> FocusEstimate:
        """The estimate, without what the caller adds to it."""
        verdict, reasons = self.verdict()
        slope = self.relief.slope if verdict == "tilted" and pixel_size_um else None
        return FocusEstimate(
            verdict,
            defocus_um=self.value,
            uncertainty_um=self.sigma_um,
            interval90_um=(self.value - self.half_um, self.value + self.half_um),
            direction_probability=self.direction,
            reasons=reasons,
            spread_um=self.relief.spread_um,
            scan_um=scan_range(self.reading.defocus_um, self.settings.dof_um) if verdict == "uneven" else None,
            tilt_um_per_mm=(slope[0] * 1000, slope[1] * 1000) if slope else None,
        )

    def verdict(self) -> tuple[Verdict, tuple[str, ...]]:
        refusals: tuple[tuple[Verdict, str], ...] = (
            ("unsure", self._undecided() or self._split()),
            ("out_of_range", self._beyond()),
            ("unsure", self._vague()),
        )
        for verdict, reason in refusals:
            if reason:
                return verdict, (reason, *self.relief.reasons)
        return self.relief.kind, (*self.relief.reasons, self._answer(), *self._advice())

    def _undecided(self) -> str:
        """Why the side of focus is undecided; empty where it is decided, or does not matter so near to focus.

        It matters beyond half a depth of field, and nearer where the doubt reaches that far to the other side too. The
        patches' own uncertainty counts undivided: many patches of one field do not average out a doubt they share.
        """
        reach = max(self.half_um, self.features.patch_sigma_um) - abs(self.value)
        matters = abs(self.value) > self.near or reach > self.near or self.relief.kind != "flat"
        if self.mirror >= self.settings.least_direction or not matters:
            return ""
        return (
            f"The side of focus is undecided: {self.say(self.value, '+')} is on the right side with a probability of"
            f" {_percent(self.mirror)} where {self.settings.least_direction:.0%} are asked for; do not move by it,"
            f" {SECOND_LOOK}."
        )

    def _split(self) -> str:
        """Why the patches contradict each other's side as mirror images would; empty where they do not."""
        values = self.reading.defocus_um
        close, apart = values[values > self.near], values[values < -self.near]
        if self.relief.kind == "tilted" or min(close.size, apart.size) < SPLIT_SHARE * values.size:
            return ""
        high, low = float(np.median(close)), float(np.median(apart))
        widest = max(robust_scatter(close - high), robust_scatter(apart - low))
        unlike = abs(high + low) > max(self.settings.dof_um, SPLIT_MIRROR * (high - low) / 2)
        if unlike or widest > SPLIT_WIDTH * (high - low):
            return ""
        return (
            f"The patches split into two groups that mirror each other: {close.size} at {self.say(high, '+')} and"
            f" {apart.size} at {self.say(low, '+')}; their side of focus is a guess, {SECOND_LOOK}."
        )

    def _beyond(self) -> str:
        """Which side of its range the model would have to speak about; empty inside the range."""
        limit = self.settings.range_um
        if abs(self.value) <= limit + self.near:
            return ""
        side, towards = ("too close", "apart") if self.value > 0 else ("too far apart", "together")
        return (
            f"Sample and objective are {side}: {self.say(self.value, '+')} lies beyond the ± {limit:g} µm that the"
            f" model answers for; bring them {towards} by {limit / 2:g} µm and look again, or run a sweep."
        )

    def _vague(self) -> str:
        """Why a move by this value would be a guess; empty where it would not.

        Nobody moves by the value of an uneven field; there the patches themselves have to know where they are.
        """
        share, dofs = self.settings.largest_sigma_share, self.settings.largest_sigma_dof
        limit = max(dofs * self.settings.dof_um, share * abs(self.value))
        sigma = self.features.patch_sigma_um if self.relief.kind == "uneven" else self.sigma_um
        if sigma <= limit:
            return ""
        return (
            f"A move would be a guess: {self.say(self.value, '+')} is uncertain by {self.say(sigma)} where"
            f" {self.say(limit)} are allowed; {SECOND_LOOK}, or choose a field with more content."
        )

    def _answer(self) -> str:
        low, high = self.value - self.half_um, self.value + self.half_um
        return (
            f"The defocus is {self.say(self.value, '+')}, between {low:+.2f} and {high:+.2f} µm in 90 % of such fields;"
            f" its sign is right with a probability of {_percent(self.direction)}."
        )

    def _advice(self) -> tuple[str, ...]:
        if self.relief.kind == "uneven":
            low, high = scan_range(self.reading.defocus_um, self.settings.dof_um)
            return (
                f"No single focus fits: scan from {low:+.2f} to {high:+.2f} µm for an all-in-focus image, or name the"
                " region that matters.",
            )
        if abs(self.value) <= self.near:
            return ("The field is in focus within half the depth of field; no move is needed.",)
        towards = "apart" if self.value > 0 else "together"
        return (f"Bring sample and objective {towards} by {abs(self.value):.2f} µm.",)


def _sign_near_focus(value: float, sigma: float, mirror: float) -> float:
    """Probability of the sign of a value near focus, where patches elsewhere in the field tell its orientation."""
    same = float(ndtr(abs(value) / sigma))
    return max(mirror * same + (1 - mirror) * (1 - same), 0.5)


def _percent(share: float) -> str:
    """A probability in per cent, never rounded up to certainty."""
    return "more than 99.9 %" if share > 0.9995 else f"{100 * share:.1f} %"


def _nothing_read(patches: Sequence[PatchPrediction]) -> FocusEstimate:
    """The refusal of a frame in which no patch counts: of its content, or of what the model made of it."""
    if any(patch.chosen for patch in patches):
        return FocusEstimate("unsure", reasons=(f"No patch read gave a finite answer; {SECOND_LOOK}.",))
    if not patches:
        reason = "There was no patch to look at; choose a larger region."
        return FocusEstimate("no_content", reasons=(reason,))
    highest = max((patch.importance for patch in patches if math.isfinite(patch.importance)), default=0.0)
    reason = (
        f"None of the {len(patches)} patches looked at holds content that tells about focus (highest importance"
        f" {highest:.2f} of 1); move to a place with sample, or come closer to focus by a sweep."
    )
    return FocusEstimate("no_content", reasons=(reason,))
