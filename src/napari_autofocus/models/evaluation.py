"""How good a predictor is on frames whose defocus is known.

Where such frames come from is not known here: ``labelled_stacks.py`` gives them from files, a script from the
simulation. What is made of the answers is in ``metrics.py``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate, FocusPredictor, ImageOptics, PairPredictor
from napari_autofocus.focus.shot_pairs import takes_two_shots
from napari_autofocus.models.metrics import FieldResult, by_defocus, grouped, summary

__all__ = [
    "AnyPredictor",
    "Evaluation",
    "FieldDone",
    "FieldResult",
    "Known",
    "KnownFrame",
    "KnownPair",
    "asked",
    "evaluate",
    "result_of",
]

AnyPredictor = FocusPredictor | PairPredictor


@dataclass(frozen=True, eq=False)
class KnownFrame:
    """A frame whose defocus is known.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        As the camera gave it.
    true_um : float
        Its defocus, µm; positive: sample and objective are too close.
    source, slide : str
        Names of the stack (or field) and of the slide.
    stain, density : str or None
        None where nobody says it.
    optics : ImageOptics or None
        What is known of the optics it was taken with.
    signed : bool
        False for even optics, which show the distance from focus but no direction.
    """

    image: npt.NDArray[Any]
    true_um: float
    source: str
    slide: str
    stain: str | None = None
    density: str | None = None
    optics: ImageOptics | None = None
    signed: bool = True


@dataclass(frozen=True, eq=False)
class KnownPair:
    """Two shots of a field whose defocus is known.

    Parameters
    ----------
    first, second : np.ndarray, shape (Y, X) or (Y, X, 3)
        As the camera gave them.
    dz_um : float
        Defocus of the second minus the first's, µm.
    true_um : float
        Defocus of the second, µm; positive: sample and objective are too close.
    source, slide, stain, density, optics
        As in :class:`KnownFrame`.
    """

    first: npt.NDArray[Any]
    second: npt.NDArray[Any]
    dz_um: float
    true_um: float
    source: str
    slide: str
    stain: str | None = None
    density: str | None = None
    optics: ImageOptics | None = None


Known = KnownFrame | KnownPair


@dataclass(frozen=True)
class FieldDone:
    """Progress: one more frame was judged, ``done`` so far."""

    result: FieldResult
    done: int


@dataclass(frozen=True)
class Evaluation:
    """Every answer of a predictor beside its truth.

    Parameters
    ----------
    model : str
        Name of the predictor.
    results : tuple of FieldResult
        One a frame.
    dof_um, range_um : float
        Depth of field and range (to either side of focus) of the model, µm.
    warnings : tuple of str
        What the answers were given in spite of, such as other optics, each once.
    """

    model: str
    results: tuple[FieldResult, ...]
    dof_um: float
    range_um: float
    warnings: tuple[str, ...] = ()

    def figures(self) -> dict[str, Any]:
        """Accuracy and refusals over all frames; see :func:`~napari_autofocus.models.metrics.summary`."""
        return summary(self.results, self.dof_um)

    def to_json(self) -> dict[str, Any]:
        """What ``napari-autofocus evaluate --json`` prints: overall figures, then by density, stain and defocus."""
        return {
            "model": self.model,
            "dof_um": self.dof_um,
            "range_um": self.range_um,
            **self.figures(),
            "by_density": grouped(self.results, self.dof_um, lambda result: result.density),
            "by_stain": grouped(self.results, self.dof_um, lambda result: result.stain),
            "by_defocus": by_defocus(self.results, self.dof_um, self.range_um),
            "warnings": list(self.warnings),
        }


def evaluate(
    predictor: AnyPredictor, frames: Iterable[Known], *, insist: bool = False
) -> Generator[FieldDone, None, Evaluation]:
    """Ask a predictor about each frame, one at a time, and keep what it says beside the truth.

    Parameters
    ----------
    predictor : FocusPredictor or PairPredictor
        Who is asked.
    frames : iterable of KnownFrame or KnownPair
        Frames for one, pairs for the other; taken one by one, so that they need not all fit into memory.
    insist : bool
        Ask even where the optics are unknown or unlike the model's.

    Yields
    ------
    FieldDone
        After each frame.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If the predictor refuses a frame for its optics or its kind.
    """
    results: list[FieldResult] = []
    warnings: dict[str, None] = {}
    for frame in frames:
        estimate = asked(predictor, frame, insist=insist)
        warnings.update(dict.fromkeys(estimate.warnings))
        results.append(result_of(estimate, frame))
        yield FieldDone(results[-1], len(results))
    card = predictor.card
    return Evaluation(predictor.name, tuple(results), card.dof_um, card.range_um, tuple(warnings))


def asked(predictor: AnyPredictor, known: Known, *, insist: bool = False) -> FocusEstimate:
    """What a predictor says of a frame, or of a pair.

    Raises
    ------
    InputError
        If it is of the other kind, or refuses.
    """
    if takes_two_shots(predictor):
        if isinstance(known, KnownPair):
            shots = known.first, known.second
            return predictor.estimate_pair(*shots, dz_um=known.dz_um, optics=known.optics, insist=insist)
    elif isinstance(known, KnownFrame):
        return predictor.estimate(known.image, optics=known.optics, insist=insist)
    needs = "two shots" if takes_two_shots(predictor) else "one shot"
    raise InputError(f"The model {predictor.name} takes {needs}, and {known.source} gives the other; choose another.")


def result_of(estimate: FocusEstimate, frame: Known) -> FieldResult:
    """An estimate beside its truth; of a refusal without a number, the number that its patches would have given."""
    return FieldResult(
        source=frame.source,
        slide=frame.slide,
        stain=frame.stain,
        density=frame.density,
        true_um=float(frame.true_um),
        estimate_um=_number(estimate),
        sigma_um=estimate.uncertainty_um,
        interval90_um=estimate.interval90_um,
        direction_probability=estimate.direction_probability,
        verdict=estimate.verdict,
        chosen=len(estimate.chosen_patches),
        seconds=estimate.seconds,
        dz_um=frame.dz_um if isinstance(frame, KnownPair) else None,
    )


def _number(estimate: FocusEstimate) -> float | None:
    if estimate.defocus_um is not None:
        return float(estimate.defocus_um)
    guesses = [patch.defocus_um for patch in estimate.chosen_patches if patch.defocus_um is not None]
    return float(np.median(guesses)) if guesses else None
