"""Fields of every density answered by every method, on small fields with the shipped model, against the known truth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.records import SweepRecord
from napari_autofocus.simulation.layers import has_content
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.sparse.records import (
    EVERY_PATCH,
    HILL_CLIMBING,
    OURS,
    RIVALS,
    SLIDES,
    WHOLE_IMAGE,
    Answer,
    SparsityField,
    SparsitySettings,
    SparsityStep,
)
from napari_autofocus.workflows.sparsity import climbing_answer, find_field, sparsity_fields

SETTINGS = SparsitySettings(shape=(384, 448))


def rig_of(scene: Scene) -> SimulatedRig:
    return simulated_rig(scene, clock=VirtualClock())


def run(predictor: ModelPredictor, settings: SparsitySettings) -> tuple[list[SparsityStep], tuple[SparsityField, ...]]:
    steps, work = [], sparsity_fields(predictor, rig_of, settings)
    while True:
        try:
            steps.append(next(work))
        except StopIteration as ended:
            return steps, ended.value


@pytest.fixture(scope="module")
def predictor() -> ModelPredictor:
    return load_model("brightfield-20x")


@pytest.fixture(scope="module")
def told(predictor: ModelPredictor) -> tuple[list[SparsityStep], tuple[SparsityField, ...]]:
    return run(predictor, SETTINGS)


@pytest.fixture(scope="module")
def fields(told: tuple[list[SparsityStep], tuple[SparsityField, ...]]) -> dict[str, SparsityField]:
    return {field.density: field for field in told[1]}


def answer(field: SparsityField, name: str) -> Answer:
    return next(each for each in field.answers if each.name == name)


def test_there_is_a_field_of_every_density_at_the_defocus_asked_for(fields: dict[str, SparsityField]) -> None:
    assert list(fields) == ["dense", "sparse", "extremely-sparse", "empty"]
    assert [field.true_um for field in fields.values()] == pytest.approx([6.0] * 4, abs=0.05)


def test_fields_hold_what_their_density_promises(fields: dict[str, SparsityField]) -> None:
    shares = {density: field.content_share for density, field in fields.items()}

    assert shares["dense"] > 0.4
    assert 0.05 <= shares["sparse"] <= 0.4
    assert 0 < shares["extremely-sparse"] < 0.05
    assert shares["empty"] == 0


@pytest.mark.parametrize("density", ["dense", "sparse", "extremely-sparse"])
def test_the_model_is_right_within_half_a_depth_of_field(fields: dict[str, SparsityField], density: str) -> None:
    field = fields[density]

    assert field.estimate.trusted
    assert field.ours.error_um == pytest.approx(0.0, abs=field.dof_um / 2)


def test_the_mean_of_all_patches_fails_where_most_are_empty(fields: dict[str, SparsityField]) -> None:
    assert answer(fields["dense"], EVERY_PATCH).error_um == pytest.approx(0.0, abs=0.5)
    field = fields["extremely-sparse"]
    assert abs(answer(field, EVERY_PATCH).error_um or 0.0) > field.dof_um / 2 > abs(field.ours.error_um or 0.0)


def test_the_empty_field_is_refused_and_nobody_is_right_about_it(fields: dict[str, SparsityField]) -> None:
    empty = fields["empty"]

    assert empty.ours.outcome == "no_content"
    assert empty.ours.answer_um is None
    assert answer(empty, HILL_CLIMBING).answer_um is None
    assert all(each.error_um is None for each in empty.answers)


def test_a_network_without_importance_answers_even_an_empty_field(fields: dict[str, SparsityField]) -> None:
    for name in (EVERY_PATCH, WHOLE_IMAGE):
        assert answer(fields["empty"], name).answer_um is not None
        assert answer(fields["empty"], name).outcome == "answered"


def test_hill_climbing_finds_dense_tissue_with_many_frames(fields: dict[str, SparsityField]) -> None:
    climbed = answer(fields["dense"], HILL_CLIMBING)

    assert climbed.outcome == "focused"
    assert climbed.error_um == pytest.approx(0.0, abs=0.5)
    assert climbed.frames > 5 > fields["dense"].ours.frames


def test_a_field_is_shown_before_the_hill_is_climbed(
    told: tuple[list[SparsityStep], tuple[SparsityField, ...]],
) -> None:
    shown = [step.field for step in told[0] if step.index == 0 and step.field is not None]

    assert [len(field.rivals) for field in shown] == [2, 3]
    assert tuple(each.name for each in shown[-1].answers) == (OURS, *RIVALS)


def test_a_field_goes_to_json_without_its_pixels(fields: dict[str, SparsityField]) -> None:
    found = fields["sparse"].to_json()

    assert found["density"] == "sparse"
    assert [each["name"] for each in found["answers"]] == [OURS, *RIVALS]
    assert found["answers"][0]["error_um"] == pytest.approx(found["estimate"]["defocus_um"] - found["true_um"])
    assert "frame" not in found


def test_the_same_seed_gives_the_same_field(predictor: ModelPredictor) -> None:
    settings = replace(SETTINGS, slides=SLIDES[2:3])

    one, other = (run(predictor, settings)[1][0] for _ in range(2))

    assert (one.x_um, one.y_um) == (other.x_um, other.y_um)
    assert one.ours == other.ours


def test_few_cells_lie_well_inside_the_field() -> None:
    scene = Scene.build("cytology", "extremely-sparse", "20x/0.75", seed=3, shape=(384, 448))

    mask = has_content(scene.content_at(*find_field(scene)))

    assert mask.any()
    assert mask[38:-38, 38:-38].sum() == mask.sum()


def test_a_field_too_small_for_a_cell_is_told_in_words() -> None:
    scene = Scene.build("cytology", "extremely-sparse", "20x/0.75", seed=3, shape=(32, 32))

    with pytest.raises(InputError, match="another seed or larger fields"):
        find_field(scene)


def test_closing_while_the_hill_is_climbed_ends_the_search(predictor: ModelPredictor) -> None:
    rigs: list[SimulatedRig] = []

    def kept(scene: Scene) -> SimulatedRig:
        rigs.append(rig_of(scene))
        return rigs[-1]

    work = sparsity_fields(predictor, kept, replace(SETTINGS, slides=SLIDES[:1]))
    next(step for step in work if "frame 4" in step.text)
    work.close()

    assert rigs[0].core.getLoadedDevices() in ((), ("Core",))


def test_a_search_that_gives_up_has_no_answer(fields: dict[str, SparsityField]) -> None:
    record = SweepRecord("hill-climb", "reverted", 6.0, 6.0, None, None, "no_peak", ("No peak.",), 9, 9, 1.0)

    given_up = climbing_answer(record, 6.0, fields["dense"])

    assert (given_up.answer_um, given_up.error_um, given_up.frames, given_up.note) == (None, None, 9, "No peak.")


def test_a_search_that_stops_short_has_found_too_little(fields: dict[str, SparsityField]) -> None:
    record = SweepRecord("hill-climb", "focused", 6.0, 2.0, 2.0, 0.1, "peak", (), 9, 9, 1.0)

    climbed = climbing_answer(record, 2.0, replace(fields["dense"], true_um=6.0))

    assert climbed.answer_um == pytest.approx(4.0)
    assert climbed.error_um == pytest.approx(-2.0)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(InputError, match="found -1"):
        SparsitySettings(seed=-1)
