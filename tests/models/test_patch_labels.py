"""What is learned of a patch: what people said or painted, otherwise what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from napari_autofocus.focus.curve import FocusCurve
from napari_autofocus.focus.patches import PatchGrid
from napari_autofocus.focus.zstack import PatchFocus, StackFocus
from napari_autofocus.labelling.painting import Painting
from napari_autofocus.models.labelled.patches import PatchesSaid, PatchLabel, PatchSaid, patch_labels


@pytest.fixture
def focus() -> StackFocus:
    """Two patches of 32 px side by side: one trusted at 4 µm, one not trusted."""
    curve = FocusCurve(np.arange(5.0), np.ones(5), "peak", True, 4.0, 0.1, 50.0, ())
    patches = (
        PatchFocus(0, 0, 32, 4.0, 0.1, 0.9, True, "peak"),
        PatchFocus(0, 32, 32, 1.0, 0.4, 0.1, False, "spike"),
    )
    return StackFocus("a.tif", 5, curve, PatchGrid((32, 64), 32), patches)


def test_without_a_word_of_anybody_the_trusted_measurement_counts(focus: StackFocus) -> None:
    assert patch_labels(focus, PatchesSaid()) == (PatchLabel(0, 0, 32, 4.0, 0.9), PatchLabel(0, 32, 32, None, 0.1))


def test_a_patch_that_a_person_sees_sharp_is_important_too(focus: StackFocus) -> None:
    said = PatchesSaid({(0, 32, 32): PatchSaid(2.5, of_focus=True)})
    assert patch_labels(focus, said)[1] == PatchLabel(0, 32, 32, 2.5, 0.5)


def test_a_patch_said_to_have_no_focus_is_not_learned_from(focus: StackFocus) -> None:
    said = PatchesSaid({(0, 0, 32): PatchSaid(None, of_focus=True)})
    assert patch_labels(focus, said)[0] == PatchLabel(0, 0, 32, None, 0.0)


def test_a_labelled_patch_speaks_for_those_it_covers_by_more_than_half(focus: StackFocus) -> None:
    said = PatchesSaid({(0, 20, 44): PatchSaid(2.5, of_focus=True)})  # 12 px of the first patch, all of the second
    assert [label.best_z_um for label in patch_labels(focus, said)] == [4.0, 2.5]


def test_painting_overrules_the_measured_importance_and_a_number_for_the_patch_the_painting(focus: StackFocus) -> None:
    painting = Painting((32, 64), 16, np.array([[2, 2, 1, 1], [2, 0, 1, 0]], np.uint8))
    labels = patch_labels(focus, PatchesSaid(painting=painting))
    assert [label.importance for label in labels] == [0.0, 1.0]
    assert [label.best_z_um for label in labels] == [4.0, None]
    told = patch_labels(focus, PatchesSaid({(0, 0, 32): PatchSaid(importance=0.7)}, painting))
    assert told[0].importance == 0.7
