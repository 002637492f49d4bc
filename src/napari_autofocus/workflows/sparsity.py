"""The same question put to fields that hold less and less: how far out of focus is this?

One simulated field of each density, from tissue without a gap to bare glass, stands at the same known defocus. Each is
answered by a model that chooses its patches by importance, by the same network without that choice, and by hill
climbing. Names say what a rival is: none of them was trained for the task, only the model itself was.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.io.frames import Frame
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.models.predictor import ModelPredictor, every_patch
from napari_autofocus.optics import Objective
from napari_autofocus.records import SweepRecord
from napari_autofocus.routines.sweep import SweepConfig, sweep
from napari_autofocus.simulation.layers import has_content
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.sparse.records import (
    EVERY_PATCH,
    HILL_CLIMBING,
    WHOLE_IMAGE,
    Answer,
    Slide,
    SparsityField,
    SparsitySettings,
    SparsityStep,
)
from napari_autofocus.workflows.trials import TruthfulRig

FIRST_SEED = 20_000_000
"""Added to every seed: no slide of a model's training, calibration or evaluation is shown."""
_PLACES_TRIED = 400
_STEP_UM = (61.0, 43.0)
_MOST_CELLS = 3

RigMaker = Callable[[Scene], AbstractContextManager[TruthfulRig]]
"""Puts a simulated microscope, its drive of direction +1, over a slide; closed when done."""


Steps = Generator[SparsityStep, None, SparsityField]


def sparsity_fields(
    predictor: ModelPredictor, rig_of: RigMaker, settings: SparsitySettings | None = None
) -> Generator[SparsityStep, None, tuple[SparsityField, ...]]:
    """Answer fields of every density by every method.

    Parameters
    ----------
    predictor : ModelPredictor
        The model.
    rig_of : callable
        Makes the simulated microscope for a slide.
    settings : SparsitySettings, optional
        Which fields.

    Yields
    ------
    SparsityStep
        As work proceeds; a field is shown once it is estimated, and again when each rival has ended.

    Returns
    -------
    tuple of SparsityField

    Raises
    ------
    InputError
        If the model was not made for these optics, or a slide has no such field.
    """
    settings = settings or SparsitySettings()
    done = []
    for index, slide in enumerate(settings.slides):
        told = SparsityStep(index, len(settings.slides), f"{_words(slide)}: looking for a field")
        yield told
        done.append((yield from _field(predictor, rig_of, settings, slide, told)))
    return tuple(done)


def _field(
    predictor: ModelPredictor, rig_of: RigMaker, settings: SparsitySettings, slide: Slide, told: SparsityStep
) -> Steps:
    """One field: found, estimated, then left to the rivals one after the other."""
    lens = Objective.parse(settings.objective)
    seed = FIRST_SEED + settings.seed
    scene = Scene.build(slide.stain, slide.density, lens, seed=seed, shape=settings.shape)
    place = find_field(scene)
    with rig_of(scene) as rig:
        place = rig.microscope.move_xy_to(*place)
        _stand_at(rig, settings.defocus_um)
        frame = Frame(rig.microscope.snap().image, lens, scene.pixel_size_um, f"{slide.stain} {slide.density}")
        estimate = predictor.estimate(frame.image, optics=ImageOptics(frame.objective))
        share = float(has_content(scene.content_at(*place)).mean())
        true_um = rig.true_defocus_um()
        found = SparsityField(slide.density, slide.stain, share, *place, frame, true_um, lens.dof_um, estimate)
        found = replace(found, rivals=network_rivals(predictor, found))
        yield replace(told, text=f"{_words(slide)}: estimated", field=found)
        climbed = yield from _climb(rig, found, told)
    found = replace(found, rivals=(*found.rivals, climbed))
    yield replace(told, text=f"{_words(slide)}: done", field=found)
    return found


def find_field(scene: Scene) -> tuple[float, float]:
    """A place of the slide that shows what its density promises, µm: the first one on a lattice around its middle.

    Where cells are few, one to three of them lie well inside the field and none is cut by its edge. Raises InputError
    if no such place is near.
    """
    for x_um, y_um in _lattice():
        if _shows(scene, x_um, y_um):
            return x_um, y_um
    raise InputError(
        f"No field of the slide shows {_MOST_CELLS} cells or fewer well inside; use another seed or larger fields."
    )


def _shows(scene: Scene, x_um: float, y_um: float) -> bool:
    mask = has_content(scene.content_at(x_um, y_um))
    density, share = getattr(scene.specimen, "density", ""), float(mask.mean())
    if density == "extremely-sparse":
        return 0 < share < 0.05 and _is_well_inside(mask)
    return {"dense": share > 0.4, "sparse": 0.05 <= share <= 0.4}.get(density, share == 0)


def _is_well_inside(mask: npt.NDArray[np.bool_]) -> bool:
    """One to three objects, none nearer to the edge than a tenth of the field."""
    edge = min(mask.shape) // 10
    inner = mask[edge:-edge, edge:-edge]
    count = cv2.connectedComponents(mask.astype(np.uint8))[0] - 1
    return 1 <= count <= _MOST_CELLS and bool(inner.sum() == mask.sum())


def _lattice() -> Iterator[tuple[float, float]]:
    """Places around the middle of the slide, the nearest first."""
    side = round(_PLACES_TRIED**0.5 / 2)
    steps = [(i, j) for i in range(-side, side) for j in range(-side, side)]
    for i, j in sorted(steps, key=lambda step: (step[0] ** 2 + step[1] ** 2, step)):
        yield i * _STEP_UM[0], j * _STEP_UM[1]


def _stand_at(rig: TruthfulRig, defocus_um: float) -> None:
    """Bring the field to a true defocus with a drive of direction +1."""
    drive = rig.microscope.focus
    walk_to(drive, drive.position_um() + defocus_um - rig.true_defocus_um())


def network_rivals(predictor: ModelPredictor, found: SparsityField) -> tuple[Answer, ...]:
    """The model's own defocus network without the importance stage: on all patches, and on the image made one patch."""
    patches = _read(predictor, found.frame.image)
    size = predictor.card.patch_px
    whole = _read(predictor, cv2.resize(found.frame.image, (size, size), interpolation=cv2.INTER_AREA))
    notes = (
        f"Mean of {len(patches)} patches that touch, empty ones included.",
        f"The frame reduced to {size} × {size} px, which the network was not trained for.",
    )
    return tuple(
        Answer(name, float(np.mean(values)), found.error_of(float(np.mean(values))), 1, "answered", note)
        for name, values, note in zip((EVERY_PATCH, WHOLE_IMAGE), (patches, whole), notes, strict=True)
    )


def _read(predictor: ModelPredictor, image: npt.NDArray[Any]) -> list[float]:
    """What the defocus network says of every patch of an image, µm."""
    read = predictor.variant(choose=every_patch).estimate(image, insist=True).chosen_patches
    return [patch.defocus_um for patch in read if patch.defocus_um is not None]


def _climb(rig: TruthfulRig, found: SparsityField, told: SparsityStep) -> Generator[SparsityStep, None, Answer]:
    """Hill climbing on the whole frame from where the field stands."""
    config = SweepConfig(method="hill-climb", dof_um=found.dof_um)
    record: SweepRecord
    with closing(sweep(rig.microscope, config)) as steps:
        while True:
            try:
                step = next(steps)
            except StopIteration as ended:
                record = ended.value
                break
            yield replace(told, text=f"{_words(found)}: hill climbing, frame {step.index + 1}")
    return climbing_answer(record, rig.true_defocus_um(), found)


def climbing_answer(record: SweepRecord, left_um: float, found: SparsityField) -> Answer:
    """A search that ended, as an answer: what it moved by, and how far from focus that left the field (µm)."""
    focused = record.outcome == "focused"
    answer_um = found.true_um - left_um if focused else None
    # A search that ends beyond focus by e has taken the defocus for e more than it was.
    error_um = -left_um if focused and found.has_content else None
    return Answer(HILL_CLIMBING, answer_um, error_um, record.frames, record.outcome, " ".join(record.reasons))


def _words(slide: Slide | SparsityField) -> str:
    return slide.density.replace("-", " ").capitalize()
