"""What the samples of a sweep are taken to say."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.records import CurvePoint
from napari_autofocus.routines.sweeping.judging import Judgement, JudgeSettings, Look, judge_looks, merged, noise_bound


@pytest.mark.parametrize(("count", "factor"), [(2, 7.96), (3, 3.08), (4, 2.27), (10, 1.47)])
def test_the_bound_on_noise_widens_with_fewer_frames(count: int, factor: float) -> None:
    values = np.random.default_rng(1).normal(size=count)
    assert noise_bound(list(values)) == pytest.approx(factor * np.std(values, ddof=1), rel=0.01)


def test_the_bound_on_noise_holds_nine_times_in_ten() -> None:
    rng = np.random.default_rng(2)
    bounds = np.array([noise_bound(list(rng.normal(size=3))) for _ in range(4000)])
    assert np.mean(bounds >= 1.0) == pytest.approx(0.9, abs=0.015)


def test_one_frame_tells_nothing_of_noise() -> None:
    assert noise_bound([5.0]) is None


def test_samples_of_one_place_are_averaged() -> None:
    looks = [Look(CurvePoint(z, s)) for z, s in [(1.0, 4.0), (0.0, 1.0), (1.1, 6.0), (2.0, 9.0)]]
    assert [look.point for look in merged(looks, 0.2)] == [
        CurvePoint(0.0, 1.0),
        CurvePoint(pytest.approx(1.05), 5.0),
        CurvePoint(2.0, 9.0),
    ]


def inverting_looks(best_um: float) -> list[Look]:
    """A transparent object: its pattern passes through zero in focus; blur lowers it farther off."""
    pattern = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    looks = []
    for z_um in np.arange(-6, 6.5, 0.5):
        d = z_um - best_um
        signed = d / (1 + abs(d / 1.5) ** 3)
        looks.append(Look(CurvePoint(float(z_um), float(signed**2 + 0.01)), (0.01 + 0.1 * signed) * pattern))
    return looks


def judge(looks: list[Look], polarity: str) -> Judgement:
    return judge_looks(looks, JudgeSettings(polarity, 0.001, 1.0, 0.1))  # type: ignore[arg-type]


@pytest.mark.parametrize("polarity", ["auto", "min"])
def test_inverting_contrast_is_a_transparent_specimen(polarity: str) -> None:
    judgement = judge(inverting_looks(0.7), polarity)
    assert judgement.curve.verdict == "phase_minimum"
    assert judgement.by_contrast
    assert judgement.curve.best_z_um == pytest.approx(0.7, abs=0.15)
    assert judgement.least < judgement.middle < judgement.most


def test_only_maxima_count_where_they_were_asked_for() -> None:
    judgement = judge(inverting_looks(0.7), "max")
    assert not judgement.by_contrast
    assert judgement.curve.verdict == "several_peaks"


def test_without_images_numbers_alone_decide() -> None:
    looks = [Look(look.point) for look in inverting_looks(0.7)]
    assert judge(looks, "auto").curve.verdict == "several_peaks"
    assert judge(looks, "min").curve.best_z_um == pytest.approx(0.7, abs=0.15)
