"""What the panel says of an estimate and of a model: a headline, a line of detail, what the user could do next. No Qt.

Numbers are written with a true minus; the uncertainty never reads as zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_autofocus.errors import OpticsRefused
from napari_autofocus.focus.estimate import FocusEstimate, PredictorCard
from napari_autofocus.models.library import InstalledModel
from napari_autofocus.models.package import ModelCard

Tone = Literal["plain", "good", "warning", "error"]

_ADVICE = {
    "no_content": "Move to a place with sample, or sweep.",
    "unsure": "Refocus: a second frame may settle it. Or sweep.",
    "out_of_range": "Step towards focus and look again, or sweep.",
    "uneven": "Draw a region, or refocus for the best plane.",
}
_LEAST_SHOWN_UM = 0.01
_COARSE_UM = 0.095


@dataclass(frozen=True)
class Reading:
    """An estimate in words.

    Parameters
    ----------
    headline : str
        ``+3.4 ± 0.1 µm: too close``.
    detail : str
        ``flat · 12 of 192 patches · direction 99.9 %``.
    advice : str
        What the user could do next; empty where there is nothing to do but refocus.
    tone : str
        ``good`` in focus, ``plain`` out of focus, ``warning`` where the estimate is not to be trusted.
    """

    headline: str
    detail: str = ""
    advice: str = ""
    tone: Tone = "plain"


NOTHING = Reading("No estimate")


def reading_of(estimate: FocusEstimate, card: PredictorCard) -> Reading:
    """Say what a model found in a frame."""
    detail = " · ".join(_details(estimate, card))
    advice = _ADVICE.get(estimate.verdict, "")
    if not estimate.trusted:
        return Reading(_refusal(estimate, card), detail, advice, "warning")
    defocus_um = estimate.defocus_um or 0.0
    in_focus = abs(defocus_um) <= card.dof_um / 2
    if estimate.verdict == "tilted" and estimate.tilt_um_per_mm is not None:
        advice = _tilt(estimate, card.dof_um)
    return Reading(
        f"{measured_um(defocus_um, estimate.uncertainty_um)}: {side(defocus_um, card.dof_um)}",
        detail,
        advice,
        "good" if in_focus else "plain",
    )


def refusal_of(error: Exception) -> Reading:
    """Say why there is no estimate; how the optics differ is said beside the model."""
    if isinstance(error, OpticsRefused):
        advice = "The optics do not fit the model: see above."
        return Reading("No estimate", "", advice, "warning")
    return Reading("No estimate", "", str(error), "warning")


def measured_um(value: float, uncertainty_um: float | None) -> str:
    """A signed defocus with its standard uncertainty, with the digits that it carries."""
    digits = 1 if uncertainty_um is None or uncertainty_um >= _COARSE_UM else 2
    text = f"{value:+.{digits}f}"
    if uncertainty_um is not None:
        text += f" ± {max(uncertainty_um, _LEAST_SHOWN_UM):.{digits}f}"
    return f"{text} µm".replace("-", "−")


def side(defocus_um: float, dof_um: float) -> str:
    """On which side of focus, in words."""
    if abs(defocus_um) <= dof_um / 2:
        return "in focus"
    return "too close" if defocus_um > 0 else "too far apart"


def _refusal(estimate: FocusEstimate, card: PredictorCard) -> str:
    value = estimate.defocus_um
    if estimate.verdict == "no_content":
        return "No content"
    if estimate.verdict == "uneven" and estimate.scan_um is not None:
        low, high = estimate.scan_um
        return f"Uneven: {low:+.1f} to {high:+.1f} µm".replace("-", "−")
    if estimate.verdict == "out_of_range" and value is not None:
        return f"Beyond ±{card.range_um:g} µm: {side(value, card.dof_um)}"
    if value is None:
        return estimate.verdict.replace("_", " ").capitalize()
    return f"Unsure: perhaps {measured_um(value, estimate.uncertainty_um)}"


def _details(estimate: FocusEstimate, card: PredictorCard) -> list[str]:
    read = len(estimate.chosen_patches)
    parts = [estimate.verdict.replace("_", " "), f"{read} of {len(estimate.patches)} patches"]
    if estimate.defocus_um is not None and abs(estimate.defocus_um) > card.dof_um / 2:  # in focus it means nothing
        parts.append(f"direction {_percent(estimate.direction_probability)}")
    return parts


def _percent(share: float) -> str:
    """Never rounded up to certainty."""
    return f"{min(100 * share, 99.9):.1f} %"


def _tilt(estimate: FocusEstimate, dof_um: float) -> str:
    """In words where the slope is sure, otherwise in numbers."""
    if estimate.tilt is not None and estimate.tilt.is_significant:
        return f"{estimate.tilt.sentence(dof_um)} The value is the centre's."
    along_x, along_y = (f"{value:+.0f}".replace("-", "−") for value in estimate.tilt_um_per_mm or (0.0, 0.0))
    return f"Tilted {along_x} µm/mm along x, {along_y} along y; the value is the centre's."


def card_sentence(card: ModelCard) -> str:
    """A model in a line: objective, range, measured accuracy."""
    shots = [] if card.dz_um is None else [f"2 shots, Δ {card.dz_um:g} µm"]
    return " · ".join([*shots, card.optics.objective.name, f"±{card.range_um:g} µm", *_accuracy(card)])


def _accuracy(card: ModelCard) -> list[str]:
    error, within = card.evaluation.get("mae_um"), card.evaluation.get("within_half_dof")
    if not isinstance(error, int | float) or not isinstance(within, int | float):
        return ["accuracy not measured"]
    return [f"error {error:.2g} µm", f"{_percent(within)} within DOF/2"]


def card_details(card: ModelCard, fingerprint: str, size_bytes: int | None = None) -> str:
    """Everything worth knowing of a model, line by line."""
    optics, figures = card.optics, card.evaluation
    colour = "colour (RGB)" if optics.colour == "rgb" else "grey"
    lines = [
        card.name,
        card.description,
        "",
        f"Optics: {optics.objective.name} in {optics.immersion}, {optics.pixel_size_um:.4g} µm a pixel, {colour}",
        "Takes one shot" if card.dz_um is None else f"Takes two shots, {card.dz_um:g} µm apart",
        f"Range: ±{card.range_um:g} µm; depth of field {card.dof_um:g} µm",
        f"Stains: {', '.join(card.stains) or 'not stated'}",
        f"Patches: {card.patch_px} px every {card.stride_px} px, at most {card.selection.most_patches} of them read",
        f"Measured: {', '.join(_accuracy(card))}",
    ]
    if isinstance(fields := figures.get("fields"), int):
        lines[-1] += f", on {fields} fields"
    if isinstance(direction := figures.get("direction_success"), int | float):
        lines.append(f"Direction right: {_percent(direction)}")
    training = card.training
    lines.append(f"Trained: {training.finished:%Y-%m-%d}, {training.minutes:.0f} min, seed {training.seed}")
    if size_bytes:
        lines.append(f"Size: {size_bytes / 1e6:.1f} MB")
    return "\n".join([*lines, f"Fingerprint: {fingerprint[:16]}"])


def broken_sentence(model: InstalledModel) -> str:
    """Why an installed model cannot be chosen."""
    return f"{model.path.name} cannot be used: {model.fault}"
