"""What the Virtual refocus panel says: verdicts, models, plans and figures in words. No Qt."""

from __future__ import annotations

from napari_autofocus.models.package import VirtualCard
from napari_autofocus.models.refocuser import VirtualImage
from napari_autofocus.routines.two_planes import TwoPlanes
from napari_autofocus.widgets.parts.forms import Tone
from napari_autofocus.widgets.parts.sentences import plain_um

NO_MODEL = (
    "No model for virtual refocusing is installed; open one from a file (.zip), or train one"
    " (napari-autofocus train --base tsva-20x)."
)
NO_IMAGES = (
    "Open two images of one field, one below and one above its focus, or a z-stack of which two planes are such shots;"
    " or connect a microscope and take them."
)
NOT_CONNECTED = "Connect a microscope in the Microscope panel first."
HELD = "Another routine holds the microscope."
FULL_COLOUR_SHARE = 0.1
"""Uncertainty, and error, at which the colours of their maps are full, as a share of full scale."""

_TAKE_ENDS = {
    "refused": "Not taken, nothing has moved",
    "cancelled": "Stopped",
    "timed_out": "Out of time",
    "failed": "Failed",
}
_SHIFT_WORTH_TELLING_PX = 0.05


def verdict_words(image: VirtualImage) -> tuple[str, Tone]:
    """The verdict on a recovered image, and how it is meant."""
    if image.verdict == "recovered":
        return "✓ Recovered", "good"
    return "⚠ Doubtful: do not rely on details; the uncertainty map shows where they may be invented", "warning"


def result_words(image: VirtualImage) -> str:
    """Reasons, warnings, shift and time, each on a line."""
    lines = [*image.reasons, *image.warnings]
    dy, dx = image.shift_px
    if max(abs(dy), abs(dx)) >= _SHIFT_WORTH_TELLING_PX:
        lines.append(f"The second shot lay {_px(dy)} down and {_px(dx)} right of the first; that was taken out.")
    which = "first" if image.sharper == 0 else "second"
    lines.append(f"Sharper of the two: the {which} shot. {image.seconds:.1f} s.")
    return "\n".join(lines)


def _px(value: float) -> str:
    return f"{value:+.1f} px".replace("-", "−")


def virtual_card_sentence(card: VirtualCard) -> str:
    """A model in a line: objective, distances of the shots it was taught on, measured gain."""
    low, high = card.half_um
    optics = card.optics
    colour = "colour" if optics.colour == "rgb" else "grey"
    return " · ".join([optics.objective.name, colour, f"shots ±{low:g} to ±{high:g} µm", *_gain(card)])


def _gain(card: VirtualCard) -> list[str]:
    gain = card.evaluation.get("gain_db")
    return [f"{gain:+.1f} dB over the sharper shot"] if isinstance(gain, int | float) else []


def virtual_card_details(card: VirtualCard, fingerprint: str) -> str:
    """Everything worth knowing of a model, line by line."""
    optics, training = card.optics, card.training
    low, high = card.half_um
    lines = [
        card.name,
        card.description,
        "",
        f"Optics: {optics.objective.name} in {optics.immersion}, {optics.pixel_size_um:.4g} µm a pixel,"
        f" {'colour (RGB)' if optics.colour == 'rgb' else 'grey'}",
        f"Taught on: shots {low:g} to {high:g} µm either side of focus, that off by {card.error_um:g} µm (1 σ)",
        f"Stains: {', '.join(card.stains) or 'not stated'}",
        f"Trained: {training.finished:%Y-%m-%d}, {training.minutes:.0f} min, seed {training.seed}",
        *(f"{name.replace('_', ' ')}: {value:.4g}" for name, value in card.evaluation.items() if _is_number(value)),
    ]
    return "\n".join([*lines, f"Fingerprint: {fingerprint[:16]}"])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def suggested_half_um(card: VirtualCard | None, dof_um: float | None) -> float:
    """ΔD to suggest, µm: one depth of field, inside what the model was taught on.

    Ours: at one DOF each shot still holds detail that the other has lost, and a focal position that is off by about as
    much leaves at least one of them near focus.
    """
    wished = dof_um or (card.dof_um if card is not None else 1.0)
    if card is None:
        return wished
    low, high = card.half_um
    return min(max(wished, low), high)


def half_warning(card: VirtualCard | None, half_um: float) -> str:
    """What is to be said of a ΔD that the model was not taught on; empty where it was."""
    if card is None:
        return ""
    low, high = card.half_um
    if 0.99 * low <= half_um <= 1.01 * high:
        return ""
    return f"The model was taught on shots ±{low:g} to ±{high:g} µm from focus; these are ±{half_um:.3g} µm."


def run_tip(plan: str) -> str:
    """What recovering does; ``plan`` says what moves first, empty where nothing does."""
    if plan:
        return f"Moves the focus drive (µm). {plan}"
    return "Recover the image in focus from both shots; nothing moves, and a new layer is added"


def plan_words(z_um: tuple[float, float], centre_um: float, here_um: float) -> str:
    """Which positions two shots will visit, and where the drive ends."""
    places = " and ".join(plain_um(z) for z in z_um)
    from_here = "" if abs(here_um - centre_um) < 0.005 else f" It stands at {plain_um(here_um)} now."
    return f"The drive will visit {places}, and end at {plain_um(centre_um)}.{from_here}"


def taken_words(taken: TwoPlanes, *, stopped: bool = False) -> tuple[str, Tone]:
    """How taking two shots ended; ``stopped`` where the user no longer wanted them, perhaps too late."""
    if taken.outcome == "taken" and stopped:
        return f"Stopped: the drive stands at {plain_um(taken.end_um)}; the shots are not used.", "plain"
    if taken.outcome == "taken":
        shots = " and ".join(plain_um(shot.z_um) for shot in taken.shots)
        return f"Shots taken at {shots}; the drive stands at {plain_um(taken.end_um)}.", "plain"
    words = f"{_TAKE_ENDS[taken.outcome]}: the drive stands at {plain_um(taken.end_um)}. {' '.join(taken.reasons)}"
    return words, "plain" if taken.outcome == "cancelled" else "error"
