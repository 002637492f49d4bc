"""What a survey does when something goes wrong: where slide and drive end, what it says, what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_microscope import run_to_end

from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.routines.survey import SurveyConfig, SurveyRecord, SurveyStep, survey
from rigs import RigMaker
from surveyed_slide import CONFIG, OPTICS, Slide, TiltedScene, flat, make_slide, serpentine

PLACES = serpentine(4, 3)
HOME_UM = (12.0, 34.0)


def surveyed(
    slide: Slide,
    until: Callable[[SurveyStep], bool] = lambda _: False,
    places: Any = PLACES,
    config: SurveyConfig = CONFIG,
) -> SurveyRecord:
    """Survey from a known home; the record is the one that was kept."""
    kept: list[SurveyRecord] = []
    slide.rig.microscope.move_xy_to(*HOME_UM)
    steps = survey(slide.rig.microscope, slide.predictor, config, places, keep=kept.append)
    for step in steps:
        if until(step):
            steps.close()
    return kept[0]


def is_home(slide: Slide, z_um: float = 0.0) -> bool:
    drive_um = slide.rig.z_stage.get_position_um()
    return slide.rig.xy_stage.get_position_um() == HOME_UM and drive_um == pytest.approx(z_um, abs=0.02)


def at_point(number: int) -> Callable[[SurveyStep], bool]:
    return lambda step: step.phase == "point" and step.number == number


@pytest.mark.parametrize("direction", [1, -1])
def test_a_cancelled_survey_goes_home_and_keeps_what_it_found(make_rig: RigMaker, direction: int) -> None:
    slide = make_slide(make_rig, direction)
    record = surveyed(slide, until=at_point(5))
    assert is_home(slide)
    assert (record.outcome, record.outcomes) == ("cancelled", {"found": 6})


@pytest.mark.parametrize("phase", ["find", "shot", "nearby"])
def test_it_can_be_cancelled_after_any_frame(make_rig: RigMaker, phase: str) -> None:
    slide = make_slide(make_rig)
    slide.empty = lambda x_um, y_um: (x_um, y_um) == PLACES[6]
    record = surveyed(slide, until=lambda step: step.phase == phase)
    assert is_home(slide)
    assert record.outcome == "cancelled"
    assert not slide.rig.shutter.get_open()


def test_a_frame_that_fails_is_taken_again(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig, faults=[Fault("snap-timeout", 6)])
    record = surveyed(slide)
    assert (record.outcome, record.outcomes) == ("done", {"found": len(PLACES)})


def test_a_camera_that_dies_ends_the_survey_and_the_points_stay(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig, faults=[Fault("snap-timeout", at) for at in range(6, 60)])
    record = surveyed(slide)
    assert record.outcome == "failed"
    assert record.outcomes["failed"] == 3
    assert record.outcomes["found"] >= 3
    assert any("3 places in succession failed" in reason for reason in record.reasons)
    assert is_home(slide)


def test_a_stage_that_raises_ends_the_survey_at_home(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig, scene=TiltedScene((0.01, 0.0)), faults=[Fault("stage-raises", 4)])
    record = surveyed(slide)
    assert record.outcome == "failed"
    assert is_home(slide)


def test_places_beyond_the_limits_of_the_stage_are_out_of_reach(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig, xy_limits_um=(-600.0, -600.0, 600.0, 600.0))
    record = surveyed(slide)
    assert (record.outcome, record.outcomes) == ("done_in_part", {"found": 6, "out_of_reach": 6})
    assert all("outside the limits of the XY stage" in p.reason for p in record.points if p.outcome == "out_of_reach")
    assert is_home(slide)


@pytest.mark.parametrize("direction", [1, -1])
def test_the_drive_never_leaves_its_limits(make_rig: RigMaker, direction: int) -> None:
    limits_um = (-9.0, 9.0)
    slide = make_slide(make_rig, direction, scene=TiltedScene((0.02, 0.0)), limits_um=limits_um)
    record = surveyed(slide)
    assert all(limits_um[0] <= z_um <= limits_um[1] for z_um in slide.rig.z_stage.commands_um)
    beyond = [p for p in record.points if p.outcome == "out_of_reach"]
    assert beyond
    assert all(p.z_um is None and "limits of the focus drive" in p.reason for p in beyond)
    assert all(abs(p.z_um) <= 9.0 for p in record.points if p.z_um is not None)
    assert is_home(slide)


def test_an_answer_that_is_no_number_moves_nothing(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)

    slide.says = lambda place, d_um: flat(float("nan")) if place == PLACES[5] else None
    record = surveyed(slide)
    assert record.points[5].outcome == "refused"
    assert record.outcomes["found"] == len(PLACES) - 1


def test_a_person_at_the_stage_keeps_it(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)

    def meddle(step: SurveyStep) -> bool:
        if step.phase == "point" and step.number == 4:
            slide.rig.core.setPosition("Z", 42.0)
        return False

    record = surveyed(slide, until=meddle)
    assert record.outcome == "failed"
    assert "Somebody else moved" in " ".join(record.reasons)
    slide.rig.clock.sleep(1.0)  # it is seen while it is on its way
    assert slide.rig.z_stage.get_position_um() == pytest.approx(42.0)
    assert slide.rig.xy_stage.get_position_um() == PLACES[4]  # nothing moves under an objective that may be anywhere


def test_time_that_runs_out_ends_it_at_home(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    record = surveyed(slide, config=SurveyConfig(optics=OPTICS, timeout_s=0.5, nearby_um=20.0))
    assert record.outcome == "timed_out"
    assert 0 < len(record.points) < len(PLACES)
    assert is_home(slide)


def test_optics_that_the_model_refuses_end_it_before_anything_is_found(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.rig.microscope.move_xy_to(*HOME_UM)
    with pytest.raises(InputError, match="optics"):
        run_to_end(survey(slide.rig.microscope, slide.predictor, SurveyConfig(), PLACES))
    assert is_home(slide)


def test_a_microscope_without_an_xy_stage_is_refused(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)

    class Fixed:
        clock, focus = slide.rig.microscope.clock, slide.rig.microscope.focus
        snap, restoring = slide.rig.microscope.snap, slide.rig.microscope.restoring

    with pytest.raises(InputError, match="cannot move its slide"):
        run_to_end(survey(Fixed(), slide.predictor, CONFIG, PLACES))


def test_a_slide_that_cannot_be_brought_back_is_told(make_rig: RigMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    slide = make_slide(make_rig)
    move = type(slide.rig.microscope).move_xy_to

    def stuck(self: Any, x_um: float, y_um: float) -> Any:
        if (x_um, y_um) == HOME_UM and slide.looked_at:
            raise HardwareError("The XY stage is stuck.")
        return move(self, x_um, y_um)

    monkeypatch.setattr(type(slide.rig.microscope), "move_xy_to", stuck)
    record = surveyed(slide)
    assert "could not be brought back" in " ".join(record.reasons)
    assert len(record.points) == len(PLACES)
