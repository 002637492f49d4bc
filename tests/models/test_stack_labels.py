"""What of several people's opinions reaches a training, and what is set aside with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.io import write_stack
from napari_autofocus.labelling import LabelStore
from napari_autofocus.labelling.opinions import BRENNER, BRENNER_SOURCE, Opinion
from napari_autofocus.labelling.painting import KEY, Painting
from napari_autofocus.models.labelled.labels import StackLabels
from napari_autofocus.optics import PRESETS

MakeStack = Callable[..., ZStack]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    with LabelStore(tmp_path / "labels.db") as opened:
        yield opened


def say(store: LabelStore, annotator: str, opinion: Opinion, **where: str) -> None:
    source = BRENNER_SOURCE if annotator == BRENNER else "person"
    store.add("a.tif", opinion.to_value(), annotator=annotator, source=source, **where)  # type: ignore[arg-type]


def test_persons_go_before_a_table_and_a_table_before_brenner(store: LabelStore, tmp_path: Path) -> None:
    stack = tmp_path / "a.tif"
    say(store, BRENNER, Opinion("sharp", 1.0))
    assert StackLabels(tmp_path).field(stack).how == "Brenner"
    (tmp_path / "labels.csv").write_text("path,best_z_um\na.tif,2.0\n")
    table = StackLabels(tmp_path).field(stack)
    assert (table.how, table.best_z_um) == ("table", 2.0)
    say(store, "ann", Opinion("sharp", 3.0))
    person = StackLabels(tmp_path).field(stack)
    assert (person.how, person.best_z_um, person.set_aside) == ("label store", 3.0, "")


@pytest.mark.parametrize(
    ("opinions", "said"),
    [
        ([("ann", Opinion("no_content"))], "Nothing to learn from: ann says no content"),
        ([("ann", Opinion("two_depths"))], "Nothing to learn from: ann says two depths"),
        ([("bob", Opinion("skip"))], "Nothing to learn from: bob says skip it"),
        ([("ann", Opinion("sharp", 1.0)), ("bob", Opinion("no_content"))], "ann says 1.00 µm; bob says no content"),
        (
            [("ann", Opinion("sharp", 1.0)), ("bob", Opinion("sharp", -2.0))],
            "Annotators differ: ann says 1.00 µm; bob says −2.00 µm, 3.00 µm apart, more than 0.50 µm",
        ),
        ([(BRENNER, Opinion("sharp", 1.0, trusted=False, reason="It is flat."))], "a person should look. It is flat"),
        ([("ann", Opinion("sharp", 1.0, trusted=False))], "Not to be trusted: ann says 1.00 µm"),
    ],
)
def test_what_is_set_aside_says_why_and_by_whom(
    store: LabelStore, tmp_path: Path, opinions: list[tuple[str, Opinion]], said: str
) -> None:
    for annotator, opinion in opinions:
        say(store, annotator, opinion)
    label = StackLabels(tmp_path).field(tmp_path / "a.tif")
    assert label.set_aside.startswith("is set aside. ")
    assert said in label.set_aside


def test_how_far_persons_may_differ_is_half_the_depth_of_field_of_the_file(
    store: LabelStore, tmp_path: Path, make_stack: MakeStack
) -> None:
    deep = replace(make_stack(6.0, planes=5), objective=PRESETS["10x/0.3"], pixel_size_um=0.65)
    write_stack(tmp_path / "a.ome.tif", deep)
    for annotator, z_um in (("ann", 4.0), ("bob", 7.0)):
        store.add("a.ome.tif", Opinion("sharp", z_um).to_value(), annotator=annotator, source="person")
    label = StackLabels(tmp_path).field(tmp_path / "a.ome.tif")
    assert (label.best_z_um, label.set_aside) == (5.5, "")


def test_an_untrusted_measurement_in_a_store_does_not_set_a_table_aside(store: LabelStore, tmp_path: Path) -> None:
    say(store, BRENNER, Opinion("sharp", 1.0, trusted=False))
    (tmp_path / "labels.csv").write_text("path,best_z_um\na.tif,2.0\n")
    assert StackLabels(tmp_path).field(tmp_path / "a.tif").best_z_um == 2.0


def test_patches_on_which_persons_differ_are_not_learned_from(store: LabelStore, tmp_path: Path) -> None:
    patch = {"scope": "patch", "key": "0,32,32"}
    say(store, "ann", Opinion("sharp", 1.0), **patch)
    say(store, "bob", Opinion("sharp", 1.2), **patch)
    agreed = StackLabels(tmp_path).patches(tmp_path / "a.tif").corners[(0, 32, 32)]
    assert (agreed.best_z_um, agreed.of_focus) == (pytest.approx(1.1), True)
    say(store, "bob", Opinion("sharp", 3.0), **patch)
    disputed = StackLabels(tmp_path).patches(tmp_path / "a.tif").corners[(0, 32, 32)]
    assert (disputed.best_z_um, disputed.of_focus) == (None, True)


def test_paintings_of_several_people_hold_where_they_agree(store: LabelStore, tmp_path: Path) -> None:
    for annotator, cells in (("ann", [[1, 1, 2]]), ("bob", [[1, 2, 0]])):
        painting = Painting((10, 30), 10, np.array(cells, np.uint8))
        store.add("a.tif", painting.to_value(), annotator=annotator, source="person", scope="importance", key=KEY)
    found = StackLabels(tmp_path).patches(tmp_path / "a.tif").painting
    assert found is not None
    assert found.cells.tolist() == [[1, 0, 2]]


def test_of_an_annotator_in_two_stores_the_newer_opinion_counts(store: LabelStore, tmp_path: Path) -> None:
    say(store, "ann", Opinion("sharp", 1.0))
    with LabelStore(tmp_path / "a-copy.db") as copy:
        say(copy, "ann", Opinion("sharp", 5.0))
    assert StackLabels(tmp_path).field(tmp_path / "a.tif").best_z_um == 5.0


def test_a_data_set_behind_a_link_is_read_too(store: LabelStore, tmp_path: Path) -> None:
    say(store, "ann", Opinion("sharp", 1.0))
    link = tmp_path / "link"
    link.symlink_to(tmp_path, target_is_directory=True)
    assert StackLabels(link).field(link / "a.tif").best_z_um == 1.0
