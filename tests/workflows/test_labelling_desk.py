"""An annotator's desk: the work list, what is said and undone, two at once, Brenner in between."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.labelling.opinions import Opinion
from napari_autofocus.labelling.painting import Painting
from napari_autofocus.models.labelled_stacks import LabelledDataset, read_dataset
from napari_autofocus.optics import PRESETS
from napari_autofocus.workflows.labels.brenner import StackMeasured
from napari_autofocus.workflows.labels.brenner_labels import store_brenner
from napari_autofocus.workflows.labels.desk import LabellingDesk

MakeStack = Callable[..., ZStack]
STACKS = ("a.ome.tif", "b.ome.tif", "sub/c.ome.tif")
BEST_UM = (3.2, 4.1, 5.3)


@pytest.fixture
def folder(tmp_path: Path, make_stack: MakeStack) -> Path:
    (tmp_path / "set" / "sub").mkdir(parents=True)
    for seed, (name, best_um) in enumerate(zip(STACKS, BEST_UM, strict=True)):
        stack = make_stack(best_um, planes=9, shape=(32, 48), seed=seed)
        write_stack(tmp_path / "set" / name, replace(stack, objective=PRESETS["20x/0.75"]))
    return tmp_path / "set"


@pytest.fixture
def desk(folder: Path) -> Iterator[LabellingDesk]:
    with LabellingDesk(folder, "ann") as opened:
        yield opened


def to_end(work: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as finished:
            return steps, finished.value


def sharp(z_um: float) -> Opinion:
    return Opinion("sharp", z_um)


def statuses(desk: LabellingDesk) -> dict[str, str]:
    return {item.name: item.consensus.status for item in desk.items}


def test_every_stack_of_the_folder_is_on_the_list(desk: LabellingDesk) -> None:
    assert statuses(desk) == dict.fromkeys(STACKS, "unlabelled")
    assert desk.counts() == {"unlabelled": 3, "brenner": 0, "confirmed": 0, "disputed": 0, "skipped": 0}


def test_a_single_file_is_a_list_of_one(folder: Path) -> None:
    with LabellingDesk(folder / "a.ome.tif", "ann") as desk:
        assert [item.name for item in desk.items] == ["a.ome.tif"]
        assert desk.store.path == folder / "labels.db"


@pytest.mark.parametrize("name", ["", "  ", "brenner"])
def test_an_annotator_needs_an_own_name(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="needs a name of their own"):
        LabellingDesk(folder, name)


def test_what_is_said_is_there_after_the_folder_is_opened_again(folder: Path, desk: LabellingDesk) -> None:
    desk.say(folder / "a.ome.tif", sharp(3.0))
    desk.say(folder / "sub" / "c.ome.tif", Opinion("skip"))
    with LabellingDesk(folder, "ann") as again:
        assert statuses(again) == {"a.ome.tif": "confirmed", "b.ome.tif": "unlabelled", "sub/c.ome.tif": "skipped"}
        assert again.item("a.ome.tif").consensus.best_z_um == 3.0


def test_undo_goes_over_stacks_patches_and_paintings_in_the_order_of_the_own_actions(
    folder: Path, desk: LabellingDesk
) -> None:
    painting = Painting((32, 48), 16, np.ones((2, 3)))
    desk.say("a.ome.tif", sharp(3.0))
    desk.say_patch("b.ome.tif", (0, 0, 32), 4.0)
    desk.paint("b.ome.tif", painting)
    desk.say("a.ome.tif", sharp(3.5))
    desk.close()
    with LabellingDesk(folder, "bob") as other:
        other.say("b.ome.tif", sharp(9.0))
    with LabellingDesk(folder, "ann") as again:
        words = [change.words for change in iter(again.undo, None)]
        assert words == [
            "a.ome.tif: ann says 3.00 µm (undone)",
            "b.ome.tif, painted importance: nothing said (undone)",
            "b.ome.tif, patch at 0,0,32: nothing said (undone)",
            "a.ome.tif: nothing said (undone)",
        ]
        assert statuses(again) == {"a.ome.tif": "unlabelled", "b.ome.tif": "confirmed", "sub/c.ome.tif": "unlabelled"}
        assert [change.path.name for change in iter(again.redo, None)] == [
            "a.ome.tif", "b.ome.tif", "b.ome.tif", "a.ome.tif",
        ]  # fmt: skip
        assert again.item("a.ome.tif").consensus.best_z_um == 3.5
        assert again.painting("b.ome.tif").cells.all()
        sources = {(entry.annotator, entry.source) for entry in again.history()}
    assert sources == {("ann", "person"), ("ann", "undo"), ("ann", "redo"), ("bob", "person")}


def test_two_annotators_who_differ_dispute_a_stack_until_one_of_them_gives_in(folder: Path) -> None:
    with LabellingDesk(folder, "ann") as ann, LabellingDesk(folder, "bob") as bob:
        ann.say("a.ome.tif", sharp(3.0))
        assert bob.refresh() == (folder / "a.ome.tif",)
        assert bob.refresh() == ()
        bob.say("a.ome.tif", sharp(3.9))
        assert bob.item("a.ome.tif").consensus.status == "disputed"  # a depth of field of 1 µm
        assert ann.item("a.ome.tif").consensus.status == "confirmed"
        assert ann.refresh() == (folder / "a.ome.tif",)
        assert "ann says 3.00 µm; bob says 3.90 µm" in ann.item("a.ome.tif").consensus.reason
        ann.say("a.ome.tif", sharp(3.7))
        assert ann.item("a.ome.tif").consensus.best_z_um == pytest.approx(3.8)
        ann.undo()
        assert ann.item("a.ome.tif").consensus.status == "disputed"


def test_two_annotators_at_once_overwrite_nothing(folder: Path) -> None:
    with LabellingDesk(folder, "ann") as ann, LabellingDesk(folder, "bob") as bob:

        def work(desk: LabellingDesk) -> None:
            for number in range(12):
                desk.say(STACKS[number % 3], sharp(number))
                if number % 4 == 3:
                    desk.undo()

        threads = [threading.Thread(target=work, args=(desk,)) for desk in (ann, bob)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ann.refresh()
        bob.refresh()
        # Of 0 to 11, every fourth was taken back: what stands last for each stack is 9, 10 and 8.
        expected = {"a.ome.tif": {9.0}, "b.ome.tif": {10.0}, "sub/c.ome.tif": {8.0}}
        for desk in (ann, bob):
            assert {item.name: {each.best_z_um for each in item.consensus.opinions} for item in desk.items} == expected
            assert desk.counts()["confirmed"] == 3
        assert len(ann.history()) == 2 * (12 + 3)


def test_brenner_measures_each_stack_once_and_saves_it_at_once(folder: Path, desk: LabellingDesk) -> None:
    work = desk.brenner()
    first = next(step for step in work if isinstance(step, StackMeasured))
    work.close()  # cancelled: what was finished stays
    assert statuses(desk) == {"a.ome.tif": "brenner", "b.ome.tif": "unlabelled", "sub/c.ome.tif": "unlabelled"}
    assert first.opinion.best_z_um == pytest.approx(BEST_UM[0], abs=0.3)
    with LabellingDesk(folder, "bob") as other:
        steps, summary = to_end(other.brenner())
        assert [step.path.name for step in steps if isinstance(step, StackMeasured)] == ["b.ome.tif", "c.ome.tif"]
        assert (len(summary.measured), summary.known, summary.failed) == (2, 1, ())
        assert other.focus_of("b.ome.tif").best_z_um == other.item("b.ome.tif").consensus.best_z_um
        assert to_end(other.brenner())[0] == []
        assert [entry.annotator for entry in other.history()] == ["Brenner"] * 3


def test_what_the_shell_measured_is_not_said_again_by_the_desk_nor_the_other_way_round(
    folder: Path, desk: LabellingDesk
) -> None:
    to_end(desk.brenner())
    found = [(str(item.path), desk.focus_of(item.path)) for item in desk.items]
    assert store_brenner(folder / "labels.db", found) == 0
    desk.refresh()
    to_end(desk.brenner())
    assert len(desk.history()) == 3


def test_a_stack_that_changed_is_measured_again(folder: Path, desk: LabellingDesk, make_stack: MakeStack) -> None:
    to_end(desk.brenner(["a.ome.tif"]))
    write_stack(folder / "a.ome.tif", make_stack(6.0, planes=10, shape=(32, 48)))
    assert desk.focus_of("a.ome.tif") is None
    to_end(desk.brenner(["a.ome.tif"]))
    assert desk.item("a.ome.tif").consensus.best_z_um == pytest.approx(6.0, abs=0.3)


def test_a_stack_that_cannot_be_read_stays_on_the_list_with_the_reason(folder: Path, desk: LabellingDesk) -> None:
    path = folder / "b.ome.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _, summary = to_end(desk.brenner())
    assert [failure.path for failure in summary.failed] == [str(path)]
    assert "b.ome.tif" in desk.item(path).failed
    assert not desk.item(path).is_open
    assert desk.after("a.ome.tif") == folder / "sub" / "c.ome.tif"


def test_a_curve_that_cannot_be_trusted_is_flagged_and_not_learned_from(folder: Path, desk: LabellingDesk) -> None:
    noise = np.random.default_rng(0).normal(128, 2, (15, 32, 48)).astype(np.uint8)
    write_stack(folder / "noise.ome.tif", ZStack(noise, np.arange(15.0)))
    assert desk.refresh(folder=True) == (folder / "noise.ome.tif",)
    _, summary = to_end(desk.brenner(["noise.ome.tif"]))
    found = desk.item("noise.ome.tif").consensus
    assert summary.untrusted == (folder / "noise.ome.tif",)
    assert (found.status, found.needs_person, found.is_usable) == ("brenner", True, False)
    assert "a person should look" in found.reason


def test_training_reads_what_the_desk_wrote_and_says_what_is_set_aside(folder: Path, desk: LabellingDesk) -> None:
    to_end(desk.brenner())
    desk.say("a.ome.tif", sharp(2.0))
    desk.say("b.ome.tif", Opinion("two_depths"))
    dataset: LabelledDataset = to_end(read_dataset(folder))[1]
    assert {each.path.name: (each.best_z_um, each.how) for each in dataset.stacks} == {
        "a.ome.tif": (2.0, "label store"),
        "c.ome.tif": (pytest.approx(BEST_UM[2], abs=0.3), "Brenner"),
    }
    assert [skip.reason for skip in dataset.skipped] == [
        f"{folder / 'b.ome.tif'} is set aside. Nothing to learn from: ann says two depths."
    ]


def test_the_next_stack_is_one_that_a_person_should_look_at(folder: Path, desk: LabellingDesk) -> None:
    desk.say("b.ome.tif", sharp(4.0))
    first, second, third = (folder / name for name in STACKS)
    assert (desk.after(), desk.after(first), desk.after(third)) == (first, third, None)
    assert (desk.before(), desk.before(third), desk.before(first)) == (third, first, None)
    assert desk.after(first, only_open=False) == second


def test_a_person_who_confirms_brenner_is_a_person_in_the_history(desk: LabellingDesk) -> None:
    to_end(desk.brenner(["a.ome.tif"]))
    measured = desk.item("a.ome.tif").consensus.brenner
    entry = desk.say("a.ome.tif", measured)
    assert (entry.annotator, entry.source) == ("ann", "person")
    assert desk.item("a.ome.tif").consensus.status == "confirmed"
    (pair,) = desk.agreement()
    assert (pair.first, pair.second, pair.mean_abs_dof, pair.within_half_dof) == ("ann", "Brenner", 0.0, 1.0)


def test_a_label_is_taken_back_and_brenner_holds_again(desk: LabellingDesk) -> None:
    to_end(desk.brenner(["a.ome.tif"]))
    desk.say("a.ome.tif", sharp(1.0))
    desk.undo()
    assert desk.item("a.ome.tif").consensus.status == "brenner"


def test_patches_and_paintings_of_two_people(folder: Path, desk: LabellingDesk) -> None:
    with LabellingDesk(folder, "bob") as bob:
        bob.say_patch("a.ome.tif", (0, 16, 32), 5.0)
        bob.paint("a.ome.tif", Painting((32, 48), 16, np.array([[1, 1, 0], [0, 0, 0]])))
        desk.say_patch("a.ome.tif", (0, 16, 32), None)
        desk.paint("a.ome.tif", Painting((32, 48), 16, np.array([[2, 0, 0], [0, 0, 2]])))
        desk.refresh()
    assert desk.patches("a.ome.tif")[(0, 16, 32)].status == "disputed"
    assert desk.painting("a.ome.tif").cells.tolist() == [[2, 1, 0], [0, 0, 2]]


def test_stacks_that_left_the_folder_are_told(folder: Path, desk: LabellingDesk) -> None:
    desk.say("a.ome.tif", sharp(1.0))
    desk.close()
    (folder / "a.ome.tif").unlink()
    with LabellingDesk(folder, "ann") as again:
        assert again.missing == ("a.ome.tif",)
        assert len(again.items) == 2


def test_a_data_set_that_moved_keeps_its_labels(folder: Path, desk: LabellingDesk) -> None:
    desk.say("sub/c.ome.tif", sharp(1.0))
    desk.close()
    moved = shutil.move(folder, folder.with_name("elsewhere"))
    with LabellingDesk(moved, "ann") as again:
        assert again.item(Path(moved) / "sub" / "c.ome.tif").consensus.best_z_um == 1.0


def test_a_path_that_is_not_on_the_list_is_refused(folder: Path, desk: LabellingDesk) -> None:
    for path in (folder / "labels.db", folder.parent / "x.tif", "z.tif"):
        with pytest.raises(InputError, match="not in the work list"):
            desk.say(path, sharp(1.0))


def test_an_entry_that_cannot_be_read_is_told_at_its_stack_and_the_others_go_on(folder: Path) -> None:
    with LabellingDesk(folder, "ann") as desk:
        desk.store.add("a.ome.tif", {"best_z_um": "sharp"}, annotator="eve", source="import")
        desk.say("b.ome.tif", sharp(4.0))
    with LabellingDesk(folder, "ann") as again:
        assert "is no best_z_um" in again.item("a.ome.tif").failed
        assert again.item("b.ome.tif").consensus.status == "confirmed"
        assert again.agreement() == ()
        again.say("a.ome.tif", sharp(3.0))
        assert to_end(again.brenner())[1].failed == ()
