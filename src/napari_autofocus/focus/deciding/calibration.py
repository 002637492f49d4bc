"""Fit the calibration of a model on fields whose defocus is known, by maximum likelihood.

The formulas are in ``uncertainty.py``. Everything here is ours: the papers state no uncertainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit

from napari_autofocus.errors import InputError
from napari_autofocus.focus.deciding.pooling import FloatArray
from napari_autofocus.focus.deciding.settings import Calibration
from napari_autofocus.focus.deciding.uncertainty import FieldFeatures, field_sigma_um

FEWEST_FIELDS = 50
GROSS = 6.0
"""Errors beyond this many standard uncertainties are blunders: the verdicts' task, left out when sigma is fitted."""
PRIOR_WIDTH = 2.0
"""Standard deviation of a weak normal prior on each coefficient's logarithm; settles what the fields leave open."""


@dataclass(frozen=True, eq=False)
class CalibrationSamples:
    """What is known of fields with a known defocus, one entry a field.

    Take validation fields that the model would answer for: those without content, and those beyond its range, teach
    nothing.

    Parameters
    ----------
    error_um : np.ndarray, shape (N,)
        Estimated minus true defocus, µm.
    patch_sigma_um, scatter_um, count, evidence : np.ndarray, shape (N,)
        As in :class:`~napari_autofocus.focus.deciding.uncertainty.FieldFeatures`.
    right : np.ndarray, shape (N,)
        1 where the sign was right, 0 where wrong, NaN where the field says nothing about it.
    mirrored : np.ndarray, shape (M,)
        Evidence of further fields, seen through even optics: their direction cannot be told, so that whatever evidence
        they show must not persuade. They teach the direction only.

    Raises
    ------
    InputError
        If there are fewer than fifty fields, or an array has another length or is not finite.
    """

    error_um: FloatArray
    patch_sigma_um: FloatArray
    scatter_um: FloatArray
    count: FloatArray
    evidence: FloatArray
    right: FloatArray
    mirrored: FloatArray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        n = self.error_um.size
        if n < FEWEST_FIELDS:
            raise InputError(f"A calibration takes at least {FEWEST_FIELDS} fields of known defocus; found {n}.")
        for name in ("error_um", "patch_sigma_um", "scatter_um", "count", "evidence", "right"):
            values: FloatArray = getattr(self, name)
            if values.shape != (n,) or (name != "right" and not np.isfinite(values).all()):
                raise InputError(f"The calibration's {name} must be {n} finite numbers, one a field.")
        if not np.isfinite(self.mirrored).all():
            raise InputError("The calibration's evidence of fields through even optics must be finite numbers.")

    @classmethod
    def of(
        cls, features: Sequence[FieldFeatures], true_um: npt.ArrayLike, mirrored: Sequence[FieldFeatures] = ()
    ) -> CalibrationSamples:
        """Samples from the features of fields and their true defocus.

        Parameters
        ----------
        features : sequence of FieldFeatures
            Of N fields.
        true_um : array-like, shape (N,)
            True defocus, µm.
        mirrored : sequence of FieldFeatures
            Of fields seen through even optics.
        """
        truth = np.asarray(true_um, np.float64)
        if truth.shape != (len(features),):
            raise InputError(f"{len(features)} fields need as many true values; found {truth.size}.")
        value = _column(features, "value_um")
        told = _column(features, "sided").astype(np.bool_) & (truth != 0)
        return cls(
            error_um=value - truth,
            patch_sigma_um=_column(features, "patch_sigma_um"),
            scatter_um=_column(features, "scatter_um"),
            count=_column(features, "count"),
            evidence=_column(features, "evidence"),
            right=np.where(told, np.sign(value) == np.sign(truth), np.nan),
            mirrored=_column([each for each in mirrored if each.sided], "evidence"),
        )


def fit_calibration(samples: CalibrationSamples) -> Calibration:
    """Fit all coefficients of a model's calibration.

    The field's sigma first, as a normal likelihood of the errors without blunders; then the interval, as the 90 %
    quantile of all errors over their sigma, whatever their distribution; then the direction, as a logistic regression
    of whether the sign was right, whose offset may not exceed zero.
    """
    calibration = _fit_sigma(samples)
    ratio = np.abs(samples.error_um) / _sigma(samples, calibration)
    interval = float(np.quantile(ratio, 0.9, method="higher"))
    scale, offset = _fit_direction(samples)
    return replace(calibration, interval90=interval, direction_scale=scale, direction_offset=offset)


def _fit_sigma(samples: CalibrationSamples) -> Calibration:
    kept = np.ones(samples.error_um.size, np.bool_)
    calibration = Calibration()
    for _ in range(4):
        calibration = _most_likely(samples, kept)
        sound = np.abs(samples.error_um) <= GROSS * _sigma(samples, calibration)
        if (sound == kept).all():
            break
        kept = sound
    return calibration


def _most_likely(samples: CalibrationSamples, kept: npt.NDArray[np.bool_]) -> Calibration:
    """The coefficients of sigma under which the kept errors are most likely, a weak prior settling the rest."""
    start = np.array([np.log(0.5 * np.median(np.abs(samples.error_um)) + 1e-3), 0.0, logit(0.3), 0.0])

    def cost(coefficients: FloatArray) -> float:
        variance = _sigma(samples, _as_calibration(coefficients))[kept] ** 2
        likelihood = np.mean(np.log(variance) + samples.error_um[kept] ** 2 / variance) / 2
        prior = np.sum(((coefficients - start) / PRIOR_WIDTH) ** 2) / 2 / kept.sum()
        return float(likelihood + prior)

    bounds = [(value - 6, value + 6) for value in start]
    return _as_calibration(minimize(cost, start, method="L-BFGS-B", bounds=bounds).x)


def _as_calibration(coefficients: FloatArray) -> Calibration:
    floor, patch, scatter = np.exp(coefficients[[0, 1, 3]])
    return Calibration(float(floor), float(patch), float(expit(coefficients[2])), float(scatter))


def _sigma(samples: CalibrationSamples, calibration: Calibration) -> FloatArray:
    return field_sigma_um(samples.patch_sigma_um, samples.scatter_um, samples.count, calibration)


def _fit_direction(samples: CalibrationSamples) -> tuple[float, float]:
    """Scale and offset of the log-odds that the sign is right; cautious where no sign was ever wrong."""
    told = np.isfinite(samples.right)
    evidence, sign = samples.evidence[told], 2 * samples.right[told] - 1

    def cost(coefficients: FloatArray) -> float:
        log_scale, offset = coefficients
        surprise = -np.sum(log_expit(sign * (np.exp(log_scale) * evidence + offset)))
        doubt = np.exp(log_scale) * samples.mirrored + offset
        surprise -= np.sum(log_expit(doubt) + log_expit(-doubt)) / 2  # right or wrong, either as likely
        return float(surprise + (log_scale**2 + offset**2) / 2)

    found = minimize(cost, np.array([0.0, -0.1]), method="L-BFGS-B", bounds=[(-5, 3), (-10, 0)]).x
    return float(np.exp(found[0])), float(found[1])


def _column(features: Sequence[FieldFeatures], name: str) -> FloatArray:
    return np.array([getattr(each, name) for each in features], np.float64)
