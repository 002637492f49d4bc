"""Simulated stacks: the files, their truth, and what happens to a folder that is not empty."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.io import find_stacks, open_stack
from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.batch import label_stacks
from napari_autofocus.workflows.simulate import SimulatedStack, simulate_stacks
from napari_autofocus.workflows.simulation_settings import SimulationSettings


def settings(**changes: Any) -> SimulationSettings:
    small: dict[str, Any] = {"fields": 2, "shape": (64, 96), "range_um": 4.0, "step_um": 1.0, "seed": 7}
    return SimulationSettings(**{**small, "camera": Camera(colour="mono"), **changes})


def run(chosen: SimulationSettings, folder: Path, **options: Any) -> tuple[SimulatedStack, ...]:
    simulation = simulate_stacks(chosen, folder, **options)
    while True:
        try:
            next(simulation)
        except StopIteration as finished:
            return finished.value


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[SimulatedStack, ...]]:
    folder = tmp_path_factory.mktemp("simulated") / "stacks"
    return folder, run(settings(), folder)


def test_files_open_with_their_z_and_pixel_size(simulated: tuple[Path, tuple[SimulatedStack, ...]]) -> None:
    stack = open_stack(simulated[1][0].path)
    np.testing.assert_allclose(stack.z_um, np.arange(-4, 5), atol=1e-6)
    assert stack.data.shape == (9, 64, 96)
    assert stack.pixel_size_um == pytest.approx(0.325)
    assert (stack.focus_direction, stack.objective and stack.objective.name) == (1, "20x/0.75")


def test_labels_hold_the_truth_by_file_name(simulated: tuple[Path, tuple[SimulatedStack, ...]]) -> None:
    folder, stacks = simulated
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], float(row["best_z_um"])) for row in rows] == [(s.path.name, s.best_z_um) for s in stacks]


def test_truth_lies_between_planes_and_differs(simulated: tuple[Path, tuple[SimulatedStack, ...]]) -> None:
    truths = [stack.best_z_um for stack in simulated[1]]
    assert len(set(truths)) == 2
    assert all(abs(truth) <= 0.2 * 4 and truth != round(truth) for truth in truths)


def test_stacks_are_sharpest_where_the_truth_says(simulated: tuple[Path, tuple[SimulatedStack, ...]]) -> None:
    labelling = label_stacks([simulated[0]])
    while True:
        try:
            next(labelling)
        except StopIteration as finished:
            result = finished.value
            break
    found = [focus.field.best_z_um for _, focus in result.labelled]
    assert found == pytest.approx([stack.best_z_um for stack in simulated[1]], abs=0.25)


def test_sidecars_are_not_taken_for_stacks(simulated: tuple[Path, tuple[SimulatedStack, ...]]) -> None:
    folder, stacks = simulated
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["labels.csv", "simulation.json", *(stack.path.name for stack in stacks)]
    )
    assert find_stacks([folder]) == [stack.path for stack in stacks]


def test_settings_are_kept_beside_the_stacks(simulated: tuple[Path, tuple[SimulatedStack, ...]]) -> None:
    record = json.loads((simulated[0] / "simulation.json").read_text(encoding="utf-8"))
    assert record["settings"]["objective"] == "20x/0.75"
    assert record["settings"]["seed"] == 7
    assert [stack["best_z_um"] for stack in record["stacks"]] == [stack.best_z_um for stack in simulated[1]]
    assert 0.4 < record["stacks"][0]["content"] <= 1


def test_same_seed_same_files(simulated: tuple[Path, tuple[SimulatedStack, ...]], tmp_path: Path) -> None:
    again, other = run(settings(), tmp_path / "again"), run(settings(seed=8), tmp_path / "other")
    first = simulated[1][0].path.read_bytes()
    assert again[0].path.read_bytes() == first
    assert other[0].path.read_bytes() != first


def test_number_of_fields_does_not_change_a_field(
    simulated: tuple[Path, tuple[SimulatedStack, ...]], tmp_path: Path
) -> None:
    (alone,) = run(settings(fields=1), tmp_path / "alone")
    assert alone.path.read_bytes() == simulated[1][0].path.read_bytes()


@pytest.mark.parametrize("direction", [1, -1])
def test_focus_direction_says_how_z_and_approach_go_together(
    direction: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axial_um: list[float] = []

    def snap(scene: Scene, x_um: float, y_um: float, at_um: float, **_: Any) -> np.ndarray:
        axial_um.append(at_um - scene.best_focus_um(x_um, y_um))
        return np.zeros(scene.shape, np.uint8)

    monkeypatch.setattr(Scene, "snap", snap)
    (stack,) = run(settings(fields=1, focus_direction=direction), tmp_path / "d")
    written = open_stack(stack.path)
    np.testing.assert_allclose(axial_um, direction * (written.z_um - stack.best_z_um), atol=1e-6)
    assert written.focus_direction == direction


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        run(settings(), tmp_path)
    with pytest.raises(InputError, match=r"no readable simulation\.json"):
        run(settings(), tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_overwriting_replaces_every_file_of_the_earlier_simulation(tmp_path: Path) -> None:
    run(settings(fields=3), tmp_path)
    (stack,) = run(settings(fields=1, stain="ihc"), tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ihc_dense_0000.ome.tif",
        "labels.csv",
        "simulation.json",
    ]
    assert stack.path.name == "ihc_dense_0000.ome.tif"


@pytest.mark.parametrize("planes", [2, 12])
def test_cancelling_leaves_nothing_behind(planes: int, tmp_path: Path) -> None:
    simulation = simulate_stacks(settings(), tmp_path / "new")
    for _ in range(planes):
        next(simulation)
    simulation.close()
    assert not (tmp_path / "new").exists()


def test_progress_counts_fields_and_planes(tmp_path: Path) -> None:
    steps = list(simulate_stacks(settings(), tmp_path / "p"))
    assert [(step.field, step.plane) for step in steps] == [(f, p) for f in (1, 2) for p in range(1, 10)]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        run(settings(), tmp_path / "file")
