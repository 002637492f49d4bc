"""Whether to trust a calibrated model: what its error estimate and its live runs say, by rules of ours.

The rules stand in ``docs/calibrate.md`` too. The worst finding decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from napari_autofocus.models.evaluation import Evaluation
from napari_autofocus.workflows.calibration.record import CalibrationVerdict, Proof, ProofEnd, Taught, Trust
from napari_autofocus.workflows.own.cross_validation import ErrorEstimate

TRUST_ERROR_DOF, CARE_ERROR_DOF = 0.5, 1.0
"""Upper end of the interval of the mean error, in depths of field, up to which a model is trusted, or with care."""
TRUST_DIRECTION, CARE_DIRECTION = 0.99, 0.95
"""Least share of right directions."""
TRUST_HELD, CARE_HELD = 1.0, 0.75
"""Least share of the live runs that said they were in focus, and were."""
TRUST_ANSWERED, CARE_ANSWERED = 0.7, 0.3
"""Least share of the frames, and of the live runs, that were answered at all."""
FEWEST_PROOFS = 5
WIDEST_INTERVAL = 1.0
"""Width of the interval over the error itself from which on the estimate says little."""
SAME_DOF = 0.5
"""A live run is in focus within so many depths of field of the sweep's focus."""
_LEVELS: tuple[Trust, ...] = ("trust", "care", "no")
_HEADS = {"trust": "Trust it", "care": "Trust it with care", "no": "Do not trust it"}


@dataclass(frozen=True)
class Finding:
    """One thing that speaks for or against: how far to trust for its sake, and a sentence."""

    trust: Trust
    sentence: str


def ended(end_um: float, claims_focus: bool, dof_um: float) -> ProofEnd:
    """How a live run ended, by its distance from the sweep's focus, µm."""
    if not claims_focus:
        return "declined"
    return "in_focus" if abs(end_um) <= SAME_DOF * dof_um else "missed"


def judge(taught: Taught, proofs: Sequence[Proof], asked: int) -> CalibrationVerdict:
    """The verdict on a calibration.

    Parameters
    ----------
    taught : Taught
        The model's answers on frames that were held out, and its error estimate.
    proofs : sequence of Proof
        Live runs.
    asked : int
        Live runs that were to be made.
    """
    findings = [*_of_estimate(taught), *_of_answers(taught.held_out), *_of_proofs(proofs, asked)]
    worst = max(findings, key=lambda finding: _LEVELS.index(finding.trust)).trust
    against = [finding.sentence for finding in findings if finding.trust == worst]
    said = _summary(taught, proofs) if worst == "trust" else _lowered(against[0])
    return CalibrationVerdict(worst, f"{_HEADS[worst]}: {said}", tuple(finding.sentence for finding in findings))


def _summary(taught: Taught, proofs: Sequence[Proof]) -> str:
    estimate = taught.estimate
    assert estimate is not None  # without one, a model is trusted with care at most
    held = sum(proof.ended == "in_focus" for proof in proofs)
    return (
        f"expect an error of about {error_words(estimate)}, and the right direction; {held} of {len(proofs)} live runs"
        " ended in focus."
    )


def error_words(estimate: ErrorEstimate) -> str:
    """Mean error with its interval, in µm and depths of field."""
    return (
        f"{estimate.mae_um:.2f} µm ({estimate.mae_um / estimate.dof_um:.2f} of the depth of field; 90 % interval"
        f" {estimate.low_um:.2f} to {estimate.high_um:.2f} µm)"
    )


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _of_estimate(taught: Taught) -> Iterator[Finding]:
    estimate, held_out = taught.estimate, taught.held_out
    if estimate is None:
        yield Finding("care", "The stacks were not cross-validated, so nobody knows how far off the figures may be.")
        yield from _of_error(held_out.figures()["mae_um"], held_out.dof_um, "of the frames held out")
        yield from _of_direction(held_out.figures()["direction_success"])
        return
    if not estimate.works:
        why = " ".join(estimate.reasons) or "Its error estimate says that it does not work."
        yield Finding("no", why)
    high = estimate.high_um
    yield from _of_error(high, estimate.dof_um, f"as the upper end of the interval around {estimate.mae_um:.2f} µm")
    if estimate.high_um - estimate.low_um > WIDEST_INTERVAL * estimate.mae_um and high > TRUST_ERROR_DOF / 2 * (
        estimate.dof_um
    ):
        yield Finding("care", "The stacks differ so much that its error is known roughly only; more stacks mend that.")
    yield from _of_direction(estimate.direction)


def _of_error(error_um: float | None, dof_um: float, what: str) -> Iterator[Finding]:
    if error_um is None:
        yield Finding("no", "It answered none of the frames that were held out.")
        return
    trust = _level(-error_um / dof_um, -TRUST_ERROR_DOF, -CARE_ERROR_DOF)
    yield Finding(
        trust, f"Its mean error is at most {error_um:.2f} µm, {error_um / dof_um:.2f} of the depth of field, {what}."
    )


def _of_direction(share: float | None) -> Iterator[Finding]:
    if share is None:
        yield Finding("no", "No frame that was held out lay beyond half a depth of field, so no direction was tested.")
        return
    trust = _level(share, TRUST_DIRECTION, CARE_DIRECTION)
    yield Finding(trust, f"The direction was right in {100 * share:.1f} % of the frames held out.")


def _of_answers(held_out: Evaluation) -> Iterator[Finding]:
    frames = len(held_out.results)
    answered = sum(not result.refused for result in held_out.results)
    trust = _level(answered / max(frames, 1), TRUST_ANSWERED, CARE_ANSWERED)
    if trust != "trust":
        yield Finding(trust, f"It answered only {answered} of the {frames} frames held out.")


def _of_proofs(proofs: Sequence[Proof], asked: int) -> Iterator[Finding]:
    claims = [proof for proof in proofs if proof.ended != "declined"]
    held = sum(proof.ended == "in_focus" for proof in claims)
    declined = len(proofs) - len(claims)
    if asked == 0:
        yield Finding("care", "No live run was asked for, so it was not proved on this microscope.")
        return
    if not proofs:
        yield Finding("no", "No live run could be made: no place was found where a Brenner sweep found focus.")
        return
    if len(proofs) < min(FEWEST_PROOFS, asked):
        yield Finding("care", f"Only {len(proofs)} of {asked} live runs could be made.")
    if claims:
        trust = _level(held / len(claims), TRUST_HELD, CARE_HELD)
        yield Finding(
            trust,
            f"Of {len(claims)} live run{'s' * (len(claims) != 1)} said to be in focus, {held} ended within half a depth"
            " of field of a Brenner sweep's focus.",
        )
    answered = len(claims) / len(proofs)
    if answered < TRUST_ANSWERED:
        trust = _level(answered, TRUST_ANSWERED, CARE_ANSWERED)
        yield Finding(trust, f"In {declined} of {len(proofs)} live runs it declined, and the drive went back.")


def _level(value: float, trust: float, care: float) -> Trust:
    """Higher is better."""
    if value >= trust - 1e-12:
        return "trust"
    return "care" if value >= care - 1e-12 else "no"
