"""A virtual refocuser on a folder of labelled stacks: what it gains over the sharper of two planes, and what not."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, replacing
from napari_autofocus.models.dataset_evaluation import REPORT, EvaluationSettings, data_notes, require_optics
from napari_autofocus.models.labelled.records import StackSkipped
from napari_autofocus.models.labelled.shots import ShotReach, count_measured, known_shots
from napari_autofocus.models.labelled_stacks import LabelledDataset, LabelledStack, Measurer, PlaneRead, read_dataset
from napari_autofocus.models.metrics import UNKNOWN
from napari_autofocus.models.package import VirtualCard
from napari_autofocus.models.refocus.evaluation import KnownShots, ShotsResult, as_light, refocus_figures, shots_result
from napari_autofocus.models.refocuser import VirtualRefocuser
from napari_autofocus.steps import run_to_end

MOST_PX = 1280
"""Of larger fields the middle is measured on, so many pixels a side."""


@dataclass(frozen=True)
class PairJudged:
    """Progress: pair ``pair`` of ``pairs`` is measured, counted from 1."""

    path: str
    result: ShotsResult
    pair: int
    pairs: int


@dataclass(frozen=True, eq=False)
class RefocusEvaluation:
    """What a virtual refocuser recovered from stacks, pair by pair, and what was left out.

    Parameters
    ----------
    model : str
        Name of the refocuser.
    results : tuple of ShotsResult
        One a pair.
    dataset : LabelledDataset
        What was measured on.
    skipped : tuple of StackSkipped
        What was left out, when reading and when measuring.
    dof_um : float
        Depth of field of the model, µm.
    warnings : tuple of str
        What was recovered in spite of, such as other optics, each once.
    base : RefocusEvaluation or None
        The model that this one was taught from, on the same pairs.
    """

    model: str
    results: tuple[ShotsResult, ...]
    dataset: LabelledDataset
    skipped: tuple[StackSkipped, ...]
    dof_um: float
    warnings: tuple[str, ...] = ()
    base: RefocusEvaluation | None = None

    @property
    def unreadable(self) -> tuple[StackSkipped, ...]:
        """The stacks whose files are bad."""
        return tuple(stack for stack in self.skipped if stack.kind == "unreadable")

    def figures(self) -> dict[str, Any]:
        """dB against the sharper shot, overall, by half distance and by stain; and the share that was doubted."""
        stains = sorted({result.stain for result in self.results})
        told = {
            **refocus_figures(self.results),
            "doubtful": float(np.mean([result.doubtful for result in self.results])) if self.results else None,
            "by_stain": {
                stain or UNKNOWN: _brief([result for result in self.results if result.stain == stain])
                for stain in stains
            },
        }
        if self.base is not None:
            own = refocus_figures(self.base.results)
            told["base"] = {"model": self.base.model, **_brief(self.base.results), "by_half_um": own["by_half_um"]}
        return told

    def to_json(self) -> dict[str, Any]:
        """What ``napari-autofocus evaluate --json`` prints of a virtual refocuser."""
        return {
            "model": self.model,
            "kind": "virtual",
            "dof_um": self.dof_um,
            "fields": len(self.results),
            **self.figures(),
            "stacks": len(self.dataset.stacks),
            "labelled_by": self.dataset.how_labelled,
            "skipped": [{"path": stack.path, "reason": stack.reason, "kind": stack.kind} for stack in self.skipped],
            "labels_without_stack": list(self.dataset.without_stack),
            "warnings": list(self.warnings),
        }

    def write(self, folder: Path) -> Path:
        """Write ``evaluation.json``: the figures, and under ``pairs_measured`` every pair.

        Raises
        ------
        InputError
            If the folder cannot be made or written.
        """
        make_folder(folder)
        record = {**self.to_json(), "pairs_measured": [asdict(result) for result in self.results]}
        with replacing(folder / REPORT) as unfinished:
            unfinished.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        return folder / REPORT

    def notes(self) -> list[str]:
        """What a reader of the figures has to know, a sentence each."""
        return [
            *data_notes(self.dataset, self.skipped),
            "Compared with each stack's own plane in focus: its camera noise bounds what can be reached.",
        ]


def _brief(results: tuple[ShotsResult, ...] | list[ShotsResult]) -> dict[str, Any]:
    kept = ("pairs", "sharper_db", "recovered_db", "gain_db", "worst_gain_db")
    return {name: value for name, value in refocus_figures(results).items() if name in kept}


def reach_of(card: VirtualCard) -> ShotReach:
    """Which pairs a refocuser was made for."""
    return ShotReach(card.half_um, card.error_um, card.dof_um)


def evaluate_refocuser(
    refocuser: VirtualRefocuser,
    folder: Path,
    settings: EvaluationSettings | None = None,
    *,
    measure: Measurer | None = None,
) -> Generator[PlaneRead | StackSkipped | LabelledStack | PairJudged, None, RefocusEvaluation]:
    """Compare what a refocuser recovers from two planes of a stack with the plane in focus, for a folder of stacks.

    Parameters
    ----------
    refocuser : VirtualRefocuser
        Who is asked.
    folder : Path
        The data set.
    settings : EvaluationSettings, optional
        How to read it.
    measure : Measurer, optional
        Measures stacks without label, on several workers, say.

    Yields
    ------
    PlaneRead, LabelledStack, StackSkipped or PairJudged
        As work proceeds.

    Returns
    -------
    RefocusEvaluation

    Raises
    ------
    InputError
        If there is no usable pair, a table of labels is bad, or the optics are unknown or refused.
    """
    settings = settings or EvaluationSettings()
    dataset = yield from read_dataset(folder, settings.reading, measure=measure)
    if not settings.insist:
        require_optics(dataset, settings)
    found = yield from judge_shots(refocuser, dataset, settings)
    skipped = (*dataset.skipped, *found.skipped)
    if not found.results:
        first = f"; {len(skipped)} were left out, the first because: {skipped[0].reason}" if skipped else "."
        raise InputError(f"{folder} holds no stack to measure virtual refocusing on{first}")
    return RefocusEvaluation(found.model, found.results, dataset, skipped, found.dof_um, found.warnings)


def judge_shots(
    refocuser: VirtualRefocuser,
    dataset: LabelledDataset,
    settings: EvaluationSettings,
    *,
    reach: ShotReach | None = None,
) -> Generator[PairJudged, None, RefocusEvaluation]:
    """Recover every pair of a data set that was read, and compare.

    Parameters
    ----------
    refocuser : VirtualRefocuser
        Who is asked.
    dataset : LabelledDataset
        The stacks.
    settings : EvaluationSettings
        What is said of their optics.
    reach : ShotReach, optional
        Which pairs are measured on; those that the model was made for, unless given.
    """
    bad, warnings, results = list[StackSkipped](), dict[str, None](), list[ShotsResult]()
    reach = reach or reach_of(refocuser.card)
    total = count_measured(dataset, reach)
    said: dict[str, Any] = {"lens": settings.lens, "pixel_size_um": settings.pixel_size_um}
    for pair in known_shots(dataset, reach, **said, most_px=MOST_PX, on_skip=bad.append):
        result, warned = _recovered(refocuser, pair, settings.insist)
        results.append(result)
        warnings |= dict.fromkeys(warned)
        yield PairJudged(pair.source, result, len(results), total)
    return RefocusEvaluation(
        refocuser.name, tuple(results), dataset, tuple(bad), refocuser.card.dof_um, tuple(warnings)
    )


def _recovered(refocuser: VirtualRefocuser, pair: KnownShots, insist: bool) -> tuple[ShotsResult, tuple[str, ...]]:
    """As whoever uses the model would see it: registered, tile by tile, in the camera's own type."""
    image = run_to_end(refocuser.refocus(pair.first, pair.second, optics=pair.optics, insist=insist))
    return shots_result(as_light(image.image), pair, doubtful=not image.trusted), image.warnings
