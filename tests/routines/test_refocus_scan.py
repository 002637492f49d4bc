"""Fields whose parts are in focus at different heights: scanned over the predicted range, and fused if asked to."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from fake_microscope import FakeMicroscope, run_to_end

from fake_predictor import FakePredictor
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics, PatchPrediction
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.optics import Objective
from napari_autofocus.routines.refocus import RefocusConfig, refocus

CONFIG = RefocusConfig(optics=ImageOptics(Objective(20, 0.75)), sharpness="never")
LEFT_UM, RIGHT_UM = 0.0, 5.0
START_UM = -2.0
SIDE = 32
PATCHES = tuple(
    PatchPrediction(y, x, SIDE, 0.9, True, 0.0, 0.1, 0.5) for y in range(0, 128, SIDE) for x in range(0, 128, SIDE)
)
TEXTURE = np.random.default_rng(3).uniform(40, 220, (128, 128)).astype(np.float32)


class TwoHeights(FakeMicroscope):
    """Three quarters of the field are in focus at one height, the rest at another."""

    def __init__(self, direction: int) -> None:
        super().__init__(lambda axial: axial, z_um=direction * START_UM, focus_direction=direction)

    def image_at(self, axial_um: float) -> np.ndarray:
        left, right = (
            cv2.GaussianBlur(TEXTURE, (0, 0), 0.3 + 0.8 * abs(axial_um - best)) for best in (LEFT_UM, RIGHT_UM)
        )
        return np.hstack([left[:, :96], right[:, 96:]]).astype(np.uint8)

    def snap(self) -> Frame:
        frame = super().snap()
        return replace(frame, image=self.image_at(self.axial_um))


def model(microscope: TwoHeights, verdict: str = "uneven", *, margin_um: float = 1.0) -> FakePredictor:
    """Knows the truth: the median of the patches is that of the larger part."""

    def read(_: np.ndarray) -> FocusEstimate:
        axial = microscope.axial_um
        scan = (axial - RIGHT_UM, axial - LEFT_UM + margin_um)
        return FocusEstimate(verdict, axial - LEFT_UM, 0.1, scan_um=scan, patches=PATCHES, reasons=("Two heights.",))  # type: ignore[arg-type]

    return FakePredictor(read)


@pytest.mark.parametrize("direction", [1, -1])
def test_an_uneven_field_goes_to_the_plane_where_most_of_it_is_sharp(direction: int) -> None:
    microscope = TwoHeights(direction)
    steps, record = run_to_end(refocus(microscope, model(microscope), CONFIG))
    assert record.outcome == "focused"
    assert record.method == "one-shot, scan"
    assert microscope.axial_um == pytest.approx(LEFT_UM, abs=0.51)
    assert [step.phase for step in steps] == ["shot", *["scan"] * 7, "verify"]
    heights = [direction * step.z_um for step in steps if step.phase == "scan"]
    assert heights == sorted(heights), "each plane is nearer to contact than the one before, so play is taken up once"
    assert len(record.curve) == 7


def test_the_composite_is_sharp_on_both_sides() -> None:
    microscope = TwoHeights(1)
    steps, _ = run_to_end(refocus(microscope, model(microscope), replace(CONFIG, uneven="composite")))
    [composite] = [step.composite for step in steps if step.phase == "composite"]
    left, right = microscope.image_at(LEFT_UM), microscope.image_at(RIGHT_UM)
    for sharp, part in ((left, np.s_[:, :90]), (right, np.s_[:, 102:])):
        assert sharpness(composite.image[part]) > 0.7 * sharpness(sharp[part])
    assert np.nanmedian(composite.depth_um[:, :90]) == pytest.approx(LEFT_UM, abs=0.6)
    assert np.nanmedian(composite.depth_um[:, 102:]) == pytest.approx(RIGHT_UM, abs=0.6)
    assert sharpness(left[:, 102:]) < 0.2 * sharpness(right[:, 102:]), "no single plane is"


def test_a_scan_goes_on_where_its_best_plane_lies_at_its_end() -> None:
    microscope = TwoHeights(1)
    steps, record = run_to_end(refocus(microscope, model(microscope, margin_um=-2.0), CONFIG))
    heights = [step.z_um for step in steps if step.phase == "scan"]
    assert heights[:4] == pytest.approx([2.0, 3.0, 4.0, 5.0])
    assert min(heights) < LEFT_UM
    assert record.outcome == "focused"
    assert microscope.axial_um == pytest.approx(LEFT_UM, abs=0.51)


def test_a_scan_whose_focus_lies_far_beyond_its_end_is_undone() -> None:
    microscope = TwoHeights(1)
    predictor = FakePredictor(
        lambda _: FocusEstimate("uneven", 1.0, 0.1, scan_um=(-22.0, -20.0), patches=PATCHES, reasons=("Two.",))
    )
    _, record = run_to_end(refocus(microscope, predictor, replace(CONFIG, largest_move_um=40.0)))
    assert record.outcome == "reverted"
    assert "lies beyond" in record.reasons[0]
    assert microscope.focus.z_um == pytest.approx(START_UM)


def test_an_uneven_field_may_be_left_alone() -> None:
    microscope = TwoHeights(1)
    _, record = run_to_end(refocus(microscope, model(microscope), replace(CONFIG, uneven="leave")))
    assert (record.outcome, record.moves) == ("refused", 0)


def test_closing_it_during_the_scan_goes_back() -> None:
    microscope = TwoHeights(1)
    steps = refocus(microscope, model(microscope), CONFIG)
    while next(steps).phase != "scan":
        pass
    steps.close()
    assert microscope.focus.z_um == pytest.approx(START_UM)


def test_a_scan_that_ends_farther_from_focus_is_undone() -> None:
    microscope = TwoHeights(1)
    predictor = FakePredictor(
        lambda _: FocusEstimate(
            "uneven", 9.0 * (microscope.frames > 1), 0.1, scan_um=(-4.0, 0.0), patches=PATCHES, reasons=("Two.",)
        )
    )
    _, record = run_to_end(refocus(microscope, predictor, CONFIG))
    assert record.outcome == "reverted"
    assert microscope.focus.z_um == pytest.approx(START_UM)
