"""What a calibration does on the hardware thread: looks where the microscope is, and then everything else. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.models.extras import require_training
from napari_autofocus.workflows.calibration.record import CalibrationRecord
from napari_autofocus.workflows.calibration.steps import CalibrationStep
from napari_autofocus.workflows.calibration_plan import CalibrationPlan, Undertaking, undertaking


def calibrate(*arguments: Any, **options: Any) -> Generator[CalibrationStep, None, CalibrationRecord]:
    """As in ``workflows/calibrate.py``, which knows torch: the panel opens without. Raises InputError without it."""
    require_training()
    from napari_autofocus.workflows.calibrate import calibrate as begin

    return begin(*arguments, **options)


def look(
    microscope: CoreMicroscope,
    plan_for: Callable[[float | None], CalibrationPlan],
    begun_at: tuple[float, float, float] | None,
) -> tuple[CalibrationPlan, Undertaking]:
    """The plan, once the size of a pixel is known, µm, and what it will do from where it was begun, µm."""
    plan = plan_for(microscope.snap().pixel_size_um)
    return plan, undertaking(plan, microscope, begun_at)
