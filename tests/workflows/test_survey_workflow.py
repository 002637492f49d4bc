"""Surveys with a file: gone on with after a kill, refused where it is of another survey; places, maps and figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.io.positions import read_positions
from napari_autofocus.routines.survey import SurveyRecord, SweepSurveyConfig, survey, survey_by_sweep
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.slide.focus_map import FocusMap
from napari_autofocus.workflows.reports.survey_figures import compare_surveys, middles, summarise_survey, true_surface
from napari_autofocus.workflows.survey import read_record, survey_slide
from napari_autofocus.workflows.survey_places import grid_over, places_in, write_map
from rigs import RigMaker
from surveyed_slide import CONFIG, Slide, make_slide, serpentine

PLACES = serpentine(5, 4)
STAGES = ("XY", "Z")


def ended(steps: object) -> SurveyRecord:
    while True:
        try:
            next(steps)  # type: ignore[call-overload]
        except StopIteration as finished:
            record: SurveyRecord = finished.value
            return record


@pytest.fixture
def slide(make_rig: RigMaker) -> Slide:
    return make_slide(make_rig)


def test_a_survey_that_was_killed_is_gone_on_with(slide: Slide, tmp_path: Path) -> None:
    path = tmp_path / "survey.json"
    steps = survey_slide(slide.rig.microscope, slide.predictor, CONFIG, PLACES, path=path)
    left = path.with_suffix(".copy")
    for step in steps:
        if step.done == 18:
            left.write_bytes(path.read_bytes())  # what a kill would leave: the last points are not in it yet
            steps.close()
    under_way = read_record(left)
    assert under_way is not None
    assert len(under_way.points) == 16
    slide.looked_at.clear()
    record = ended(survey_slide(slide.rig.microscope, slide.predictor, CONFIG, PLACES, path=left))
    assert (record.outcome, record.outcomes, record.taken_over) == ("done", {"found": 20}, 16)
    assert set(slide.looked_at) == set(PLACES[16:])
    assert read_record(left) == record


def test_a_file_of_another_model_or_other_places_is_refused_and_nothing_moves(slide: Slide, tmp_path: Path) -> None:
    path = tmp_path / "survey.json"
    ended(survey_slide(slide.rig.microscope, slide.predictor, CONFIG, PLACES[:3], path=path))
    other = slide.predictor
    other.fingerprint = "0" * 64
    moves = len(slide.rig.z_stage.commands_um)
    with pytest.raises(InputError, match="was begun with the model fake"):
        ended(survey_slide(slide.rig.microscope, other, CONFIG, PLACES[:3], path=path))
    with pytest.raises(InputError, match="other places"):
        ended(survey_slide(slide.rig.microscope, slide.predictor, CONFIG, PLACES, path=path))
    path.write_text("{}")
    with pytest.raises(InputError, match="not the record of a survey"):
        ended(survey_slide(slide.rig.microscope, slide.predictor, CONFIG, PLACES[:3], path=path))
    assert len(slide.rig.z_stage.commands_um) == moves


def test_a_survey_without_a_file_keeps_none(slide: Slide, tmp_path: Path) -> None:
    kept: list[SurveyRecord] = []
    record = ended(survey_slide(slide.rig.microscope, slide.predictor, CONFIG, PLACES[:3], keep=kept.append))
    assert kept == [record]
    assert list(tmp_path.iterdir()) == []


def test_a_map_is_written_in_every_form_and_its_places_come_back(slide: Slide, tmp_path: Path) -> None:
    record = ended(survey(slide.rig.microscope, slide.predictor, CONFIG, PLACES))
    surface = record.focus_map()
    for name in ("map.json", "list.pos", "table.csv", "run.yaml"):
        write_map(tmp_path / name, surface, STAGES)
        assert np.allclose(places_in(tmp_path / name, STAGES), PLACES, atol=1e-3)
    assert FocusMap.from_json((tmp_path / "map.json").read_text()).z_um(0.0, 0.0) == pytest.approx(
        surface.z_um(0.0, 0.0)
    )
    listed = read_positions(tmp_path / "list.pos").positions
    assert listed[3].z_um == pytest.approx(slide.best_z_um(PLACES[3]), abs=0.2)
    with pytest.raises(InputError, match="was made for"):
        places_in(tmp_path / "list.pos", ("Another XY", "Z"))


def test_figures_are_against_the_truth_on_points_and_between_them(slide: Slide) -> None:
    record = ended(survey(slide.rig.microscope, slide.predictor, CONFIG, PLACES))
    surface = record.focus_map()
    told = summarise_survey(record, surface, lambda x, y: slide.best_z_um((x, y)) + 1.0)
    assert told["mae_um"] == pytest.approx(1.0, abs=0.05)
    assert told["between_um"] == pytest.approx(1.0, abs=0.05)
    assert told["outcomes"] == {"found": 20}
    assert told["tilt_error_um_per_mm"] == surface.tilt_error_um_per_mm
    unknown = summarise_survey(record, None)
    assert (unknown["mae_um"], unknown["between_um"], unknown["surface"]) == (None, None, None)


def test_two_surveys_of_the_same_places_are_compared(slide: Slide) -> None:
    places = PLACES[:4]
    one = ended(survey(slide.rig.microscope, slide.predictor, CONFIG, places))
    stacks = ended(survey_by_sweep(slide.rig.microscope, SweepSurveyConfig(dof_um=1.0, patch_px=16), places))
    told = compare_surveys(one, stacks)
    assert told["compared"] == 4
    assert told["difference_um"] < 0.3
    assert stacks.exposures >= 21 * 4
    assert told["exposures_ratio"] == pytest.approx(one.exposures / stacks.exposures)
    assert told["time_ratio"] < 0.5


@pytest.mark.parametrize("direction", [1, -1])
def test_the_true_surface_is_that_of_the_fields_themselves(direction: int) -> None:
    topography = Topography(2.0, -1.0, wave_um=3.0, wave_length_um=6000.0)
    scene = Scene.build("he", "dense", "20x/0.75", seed=4, shape=(48, 64), topography=topography)
    truth = true_surface(scene, direction)
    for place in ((0.0, 0.0), (900.0, -1200.0)):
        assert truth(*place) == pytest.approx(direction * scene.best_focus_um(*place), abs=0.1)


def test_a_slide_of_two_depths_has_no_single_surface() -> None:
    scene = Scene.build("he", "dense", "20x/0.75", shape=(48, 64), topography=Topography.thick())
    with pytest.raises(InputError, match="no single surface"):
        true_surface(scene, 1)


def test_the_middles_of_a_grid_are_those_of_its_cells() -> None:
    assert middles(grid_over((0.0, 0.0), "2x1", "3x2")) == [(-500.0, 0.0), (500.0, 0.0)]
    assert middles([(0.0, 0.0), (2.0, 2.0), (2.0, 6.0)]) == [(1.0, 1.0), (2.0, 4.0)]


def test_a_grid_spans_its_area_back_and_forth() -> None:
    places = grid_over((100.0, 0.0), "2 x 1", "2x2")
    assert places == [(-900.0, -500.0), (1100.0, -500.0), (1100.0, 500.0), (-900.0, 500.0)]
    with pytest.raises(InputError, match="cannot move its slide"):
        grid_over((float("nan"), float("nan")), "2x1", "2x2")
