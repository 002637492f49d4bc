"""Surveys: what becomes of each place, from where it is shot, what is done where one shot does not do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from fake_microscope import run_to_end

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import FocusEstimate
from napari_autofocus.routines.survey import (
    SurveyConfig,
    SurveyRecord,
    SurveyStep,
    SweepSurveyConfig,
    survey,
    survey_by_sweep,
)
from napari_autofocus.routines.sweep_config import SweepConfig
from rigs import RigMaker
from surveyed_slide import CONFIG, OPTICS, Slide, TiltedScene, flat, flat_at, make_slide, serpentine, uneven, unsure

PLACES = serpentine(5, 4)
SWEEP = SweepConfig(range_um=20.0, dof_um=1.0)


def surveyed(slide: Slide, config: SurveyConfig = CONFIG, places: Any = PLACES, **more: Any) -> SurveyRecord:
    return surveyed_in_steps(slide, config, places, **more)[1]


def surveyed_in_steps(
    slide: Slide, config: SurveyConfig = CONFIG, places: Any = PLACES, **more: Any
) -> tuple[list[SurveyStep], SurveyRecord]:
    return run_to_end(survey(slide.rig.microscope, slide.predictor, config, places, **more))


def worst_um(slide: Slide, record: SurveyRecord) -> float:
    return max(abs(p.z_um - slide.best_z_um((p.x_um, p.y_um))) for p in record.points if p.z_um is not None)


@pytest.mark.parametrize("direction", [1, -1])
def test_every_place_gets_its_focus_from_one_shot(make_rig: RigMaker, direction: int) -> None:
    slide = make_slide(make_rig, direction)
    record = surveyed(slide)
    assert (record.outcome, record.outcomes) == ("done", {"found": len(PLACES)})
    assert worst_um(slide, record) < 0.1
    assert record.exposures <= len(PLACES) + 2  # the first point is verified
    assert record.focus_direction == direction
    assert [(p.x_um, p.y_um) for p in record.points] == PLACES


@pytest.mark.parametrize("direction", [1, -1])
def test_slide_and_drive_end_where_they_were(make_rig: RigMaker, direction: int) -> None:
    slide = make_slide(make_rig, direction)
    slide.rig.microscope.move_xy_to(33.0, -21.0)
    slide.rig.microscope.focus.move_to(direction * 2.0)
    record = surveyed(slide)
    assert slide.rig.microscope.xy_um() == (33.0, -21.0)
    assert slide.rig.microscope.focus.position_um() == pytest.approx(direction * 2.0, abs=0.01)
    assert (record.start_um, record.end_um) == pytest.approx((direction * 2.0,) * 2, abs=0.01)


def test_shots_are_taken_from_near_the_surface_and_the_drive_moves_only_when_it_must(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig, scene=TiltedScene((0.01, 0.0)))  # 20 µm over the places, twice the range
    record = surveyed(slide)
    assert record.outcomes == {"found": len(PLACES)}
    assert max(map(abs, slide.defocus_um[1:])) < 8.0  # but for the start
    still = make_slide(make_rig, scene=TiltedScene((0.0001, 0.0)))
    assert surveyed(still).moves <= 4, "to the first focus and home"


def test_the_steps_show_points_and_a_surface_that_grows(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    steps, _ = surveyed_in_steps(slide)
    points = [step for step in steps if step.phase == "point"]
    assert [step.number for step in points] == list(range(len(PLACES)))
    assert [step.done for step in points] == list(range(1, len(PLACES) + 1))
    assert all(step.frame is not None for step in steps if step.phase == "shot")
    surface = steps[-1].surface
    assert steps[-1].phase == "surface"
    assert surface is not None
    assert surface.z_um(120.0, -80.0) == pytest.approx(slide.best_z_um((120.0, -80.0)), abs=0.1)
    assert any(step.surface is not None for step in points)


def test_an_empty_place_takes_the_focus_of_a_field_beside_it(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    bare = PLACES[7]
    slide.empty = lambda x_um, y_um: math.dist((x_um, y_um), bare) < 15
    record = surveyed(slide)
    point = record.points[7]
    assert record.outcomes == {"found": len(PLACES) - 1, "nearby": 1}
    assert math.dist((point.x_um, point.y_um), bare) == pytest.approx(20.0)
    assert "20 µm beside it" in point.reason
    assert worst_um(slide, record) < 0.1


def test_a_place_amid_glass_is_recorded_as_empty(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.empty = lambda x_um, y_um: x_um > 400
    record = surveyed(slide)
    assert record.outcome == "done"
    assert record.outcomes == {"found": 12, "empty": 8}
    assert all(p.z_um is None and "4 fields around" in p.reason for p in record.points if p.outcome == "empty")


def test_places_seen_empty_before_any_focus_was_known_are_visited_again(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.empty = lambda x_um, y_um: abs(slide.rig.true_defocus_um()) > 9 or (x_um, y_um) in PLACES[:2]
    slide.rig.microscope.focus.move_to(-9.0)
    record = surveyed(slide, replace(CONFIG, nearby=0))
    assert record.outcomes == {"found": len(PLACES) - 2, "empty": 2}
    looks = [slide.looked_at.count(place) for place in PLACES[:2]]
    assert looks == [2, 2]


def test_a_drive_far_from_focus_is_helped_by_a_sweep(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.empty = lambda x_um, y_um: abs(slide.rig.true_defocus_um()) > 12
    slide.rig.microscope.focus.move_to(-14.0)
    record = surveyed(slide, replace(CONFIG, sweep=SWEEP))
    assert record.outcomes == {"found": len(PLACES)}
    assert worst_um(slide, record) < 1.0


def test_an_empty_slide_is_told(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.empty = lambda x_um, y_um: True
    record = surveyed(slide)
    assert (record.outcome, record.outcomes) == ("done_in_part", {"empty": len(PLACES)})
    assert "None of 20 places" in record.reasons[0]
    assert record.moves == 0


@pytest.mark.parametrize("direction", [1, -1])
def test_an_unsure_frame_gets_a_second_one(make_rig: RigMaker, direction: int) -> None:
    slide = make_slide(make_rig, direction)
    slide.says = lambda place, d_um: unsure(-d_um) if slide.looked_at.count(place) == 1 and place == PLACES[6] else None
    record = surveyed(slide)
    assert record.outcomes == {"found": len(PLACES)}
    assert slide.looked_at.count(PLACES[6]) == 2
    assert worst_um(slide, record) < 0.1


def test_two_unsure_frames_that_agree_make_a_point_and_two_that_do_not_make_none(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.says = lambda place, d_um: {PLACES[6]: unsure(d_um), PLACES[9]: unsure(abs(d_um) + 1)}.get(place)
    record = surveyed(slide)
    assert (record.outcome, record.outcomes) == ("done_in_part", {"found": len(PLACES) - 1, "refused": 1})
    assert "Two frames agree" in record.points[6].reason
    assert (record.points[9].outcome, record.points[9].z_um) == ("refused", None)


@pytest.mark.parametrize("direction", [1, -1])
def test_two_frames_that_agree_and_know_little_are_decided_by_a_third(make_rig: RigMaker, direction: int) -> None:
    slide, wrong, lost = make_slide(make_rig, direction), PLACES[6], PLACES[9]

    def says(place: Any, d_um: float) -> FocusEstimate | None:
        vague = replace(unsure(d_um + 1.5), uncertainty_um=7.5)
        return vague if place == lost or (place == wrong and slide.looked_at.count(place) <= 2) else None

    slide.says = says
    record = surveyed(slide)
    assert (record.outcome, record.outcomes) == ("done_in_part", {"found": len(PLACES) - 1, "refused": 1})
    assert record.points[6].z_um == pytest.approx(slide.best_z_um(wrong), abs=0.1)
    assert slide.looked_at.count(wrong) == 3
    assert (record.points[9].outcome, record.points[9].z_um) == ("refused", None)


def test_a_field_out_of_range_is_shot_again_from_nearer(make_rig: RigMaker) -> None:
    scene = TiltedScene()
    scene.lift = lambda x_um, y_um: 14.0 if (x_um, y_um) == PLACES[12] else 0.0
    slide = make_slide(make_rig, scene=scene)
    record = surveyed(slide)
    assert record.outcomes == {"found": len(PLACES)}
    assert record.points[12].z_um == pytest.approx(slide.best_z_um(PLACES[12]), abs=0.1)
    assert "which a second frame bears out" in record.points[12].reason


def test_a_point_that_contradicts_its_neighbours_is_shot_again(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.says = lambda place, d_um: (
        flat(-d_um + 7) if slide.looked_at.count(place) == 1 and place == PLACES[8] else None
    )
    record = surveyed(slide)
    assert record.outcomes == {"found": len(PLACES)}
    assert worst_um(slide, record) < 0.1
    assert "on it by the second" in record.points[8].reason


def test_a_point_that_contradicts_itself_too_is_refused(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.says = lambda place, d_um: flat(6.0) if place == PLACES[8] else None
    record = surveyed(slide)
    assert record.outcomes == {"found": len(PLACES) - 1, "refused": 1}
    assert "off the surface of its neighbours" in record.points[8].reason


@pytest.mark.parametrize(("mirrored", "signs"), [((False, False), (1, 1)), ((True, False), (-1, 1)), (None, (0, 0))])
def test_a_point_lies_where_the_content_is_that_was_read(make_rig: RigMaker, mirrored: Any, signs: Any) -> None:
    slide = make_slide(make_rig)
    slide.says = lambda place, d_um: flat_at(d_um, y=20, x=28)  # the lower right corner of 24 x 32 px
    record = surveyed(slide, replace(CONFIG, mirrored=mirrored))
    shifts = [(p.x_um - x, p.y_um - y) for p, (x, y) in zip(record.points[1:], PLACES[1:], strict=True)]
    for shift in shifts:
        assert shift == pytest.approx((signs[0] * 14 * 0.325, signs[1] * 10 * 0.325))


def test_what_does_not_fit_the_surface_in_the_end_is_looked_at_once_more(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    wrong, vague = PLACES[1], PLACES[7]  # the second place has one neighbour, which cannot contradict it
    looks = slide.looked_at
    slide.says = lambda place, d_um: (
        flat(d_um + 1.9)
        if place == wrong and looks.count(wrong) == 1
        else unsure(abs(d_um) + 1)
        if place == vague and looks.count(vague) <= 2
        else None
    )
    steps, record = surveyed_in_steps(slide)
    assert (record.outcome, record.outcomes) == ("done", {"found": len(PLACES)})
    assert worst_um(slide, record) < 0.1
    numbers = [step.number for step in steps if step.phase == "point"]
    assert set(numbers[len(PLACES) :]) == {1, 7}
    assert record.numbers == tuple(range(len(PLACES)))


def test_an_uneven_field_counts_with_its_centre(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.says = lambda place, d_um: uneven(d_um, d_um + 5) if place == PLACES[4] else None
    record = surveyed(slide)
    assert record.points[4].z_um == pytest.approx(slide.best_z_um(PLACES[4]), abs=0.1)
    assert record.points[4].reason.startswith("Uneven")


def test_an_uneven_field_without_one_depth_at_its_centre_is_looked_at_again(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    torn = FocusEstimate("uneven", 4.0, 0.1, patches=(flat_at(8.0, 2, 2).patches[0], flat_at(0.0, 18, 26).patches[0]))
    slide.says = lambda place, d_um: torn if place == PLACES[4] and slide.looked_at.count(place) == 1 else None
    record = surveyed(slide)
    assert record.points[4].z_um == pytest.approx(slide.best_z_um(PLACES[4]), abs=0.1)
    assert slide.looked_at.count(PLACES[4]) == 2


def test_a_survey_on_which_too_many_points_fail_is_refused_with_the_share(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    slide.says = lambda place, d_um: None if place in PLACES[:4] else unsure(abs(d_um) + 1)
    record = surveyed(slide)
    assert record.outcome == "refused"
    assert any(
        "points with content failed (" in reason and "The side is undecided" in reason for reason in record.reasons
    )
    assert len(record.points) < len(PLACES)  # it does not go on once nothing can save it
    with pytest.raises(InputError, match="was refused"):
        record.focus_map()


def test_an_unknown_direction_is_found_out_at_the_first_point(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig, -1, tells_direction=False, backlash_um=0.0)
    slide.rig.microscope.focus.move_to(3.0)
    record = surveyed(slide)
    assert (record.outcomes, record.focus_direction) == ({"found": len(PLACES)}, -1)
    assert worst_um(slide, record) < 0.1


def test_a_survey_goes_on_where_another_ended(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    kept: list[SurveyRecord] = []
    steps = survey(slide.rig.microscope, slide.predictor, CONFIG, PLACES, keep=kept.append)
    for step in steps:
        if step.done == 8:
            steps.close()
    assert (kept[0].outcome, kept[0].outcomes) == ("cancelled", {"found": 8})
    assert kept[0].left == tuple(range(8, len(PLACES)))
    slide.looked_at.clear()
    again = SurveyRecord.from_json(kept[0].to_json())
    assert again == kept[0]
    record = surveyed(slide, earlier=again)
    assert set(slide.looked_at) == set(PLACES[8:])
    assert (record.outcomes, record.taken_over) == ({"found": len(PLACES)}, 8)
    assert worst_um(slide, record) < 0.1


def test_time_is_that_of_the_microscopes_clock(make_rig: RigMaker) -> None:
    slide = make_slide(make_rig)
    before = slide.rig.clock.now_s()
    record = surveyed(slide)
    assert record.seconds == pytest.approx(slide.rig.clock.now_s() - before)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_survey_by_z_stacks_finds_the_same_for_many_more_exposures(make_rig: RigMaker, direction: int) -> None:
    places = serpentine(3, 2)
    slide = make_slide(make_rig, direction)
    config = SweepSurveyConfig(planes=21, step_um=1.0, dof_um=1.0, patch_px=16)
    _, record = run_to_end(survey_by_sweep(slide.rig.microscope, config, places))
    assert (record.outcome, record.method, record.outcomes) == ("done", "z-stack", {"found": len(places)})
    assert record.exposures == 21 * len(places)
    assert worst_um(slide, record) < 0.3
    assert slide.rig.microscope.xy_um() == (0.0, 0.0)


def test_a_record_of_something_else_is_refused() -> None:
    with pytest.raises(InputError, match="not the record of a survey"):
        SurveyRecord.from_json('{"points": []}')


@pytest.mark.parametrize("wrong", [[], [(0.0, math.nan)]])
def test_a_survey_of_no_place_is_refused(make_rig: RigMaker, wrong: Any) -> None:
    with pytest.raises(InputError, match="finite stage positions"):
        surveyed(make_slide(make_rig), places=wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nearby": -1},
        {"nearby_um": 0.0},
        {"second_shot_um": -1.0},
        {"most_failed": 1.5},
        {"surface": "dome"},
        {"surface_every": 0},
        {"focus_direction": 2},
        {"timeout_s": math.nan},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        SurveyConfig(optics=OPTICS, **wrong)
