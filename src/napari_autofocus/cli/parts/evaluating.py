"""A model measured on a folder of stacks or on simulated slides, with a bar; what the shell shows and leaves of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from napari_autofocus.cli.parts.progress import Advance, follow_reading, progress_bar
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.models.dataset_evaluation import DatasetEvaluation, EvaluationSettings
    from napari_autofocus.models.refocus.dataset import RefocusEvaluation
    from napari_autofocus.models.simulated.checks import CheckSettings
    from napari_autofocus.models.simulated.evaluation import SimulatedEvaluation
    from napari_autofocus.workflows.spread import Workers

Measured: TypeAlias = "DatasetEvaluation | RefocusEvaluation | SimulatedEvaluation"


def run_on_folder(model: str, dataset: Path, settings: EvaluationSettings, workers: Workers) -> Measured:
    """Ask a model about a folder of stacks, with a bar on standard error."""
    if _recovers_images(model):
        return _run_refocuser(model, dataset, settings, workers)
    from napari_autofocus.models.dataset_evaluation import evaluate_dataset
    from napari_autofocus.models.pair_predictor import load_focus_model
    from napari_autofocus.workflows.spreading.evaluating import spread_judge
    from napari_autofocus.workflows.spreading.measuring import dataset_measurer

    predictor = load_focus_model(model)
    measure, judge = dataset_measurer(dataset, workers), spread_judge(model, predictor, workers)
    work = evaluate_dataset(predictor, dataset, settings, measure=measure, judge=judge)
    with progress_bar("evaluating") as advance:
        return run_to_end(work, lambda step: _follow(step, advance))


def _recovers_images(model: str) -> bool:
    """Whether a model is a virtual refocuser; what is no model at all is told by whoever opens it."""
    from napari_autofocus.models.library import find_model
    from napari_autofocus.models.package import kind_of_package

    try:
        return kind_of_package(find_model(model)) == "virtual"
    except InputError:
        return False


def _run_refocuser(model: str, dataset: Path, settings: EvaluationSettings, workers: Workers) -> RefocusEvaluation:
    from napari_autofocus.models.refocus.dataset import evaluate_refocuser
    from napari_autofocus.models.refocuser import load_refocuser
    from napari_autofocus.workflows.spreading.measuring import dataset_measurer

    if settings.disturbances:
        raise InputError(f"{model} recovers images, and --disturb is for models that tell defocus; leave it out.")
    work = evaluate_refocuser(load_refocuser(model), dataset, settings, measure=dataset_measurer(dataset, workers))
    with progress_bar("evaluating") as advance:
        return run_to_end(work, lambda step: _follow(step, advance))


def run_simulated(model: str, settings: CheckSettings, workers: Workers) -> SimulatedEvaluation:
    """Ask a model about simulated slides, with a bar on standard error.

    Raises
    ------
    InputError
        If the model tells no defocus, or its card does not say what to simulate.
    """
    if _recovers_images(model):
        raise InputError(
            f"{model} recovers images, and --simulated is for models that tell defocus; name a folder of z-stacks"
            " (napari-autofocus simulate writes some)."
        )
    from napari_autofocus.models.pair_predictor import load_focus_model
    from napari_autofocus.models.simulated.evaluation import evaluate_simulated
    from napari_autofocus.workflows.spreading.checking import spread_check

    predictor = load_focus_model(model)
    work = evaluate_simulated(predictor, settings, judge=spread_check(model, predictor, workers))
    with progress_bar("evaluating") as advance:
        return run_to_end(work, lambda step: advance(step.frame, step.frames, step.path))


def _follow(step: object, advance: Advance) -> None:
    from napari_autofocus.models.dataset_evaluation import FrameJudged
    from napari_autofocus.models.refocus.dataset import PairJudged

    if follow_reading(step, advance):
        return
    if isinstance(step, FrameJudged):
        advance(step.frame, step.frames, Path(step.path).name)
    elif isinstance(step, PairJudged):
        advance(step.pair, step.pairs, Path(step.path).name)


def write_measured(out: Path, found: Measured) -> None:
    """Leave the figures as JSON and as a picture in a folder."""
    from napari_autofocus.models.refocus.dataset import RefocusEvaluation
    from napari_autofocus.workflows.reports.evaluation import save_evaluation_report
    from napari_autofocus.workflows.reports.refocus import save_refocus_report

    found.write(out)
    if isinstance(found, RefocusEvaluation):
        save_refocus_report(found, out)
    else:
        save_evaluation_report(found.evaluation, out, of=found.frames_are)


def print_measured(found: Measured) -> None:
    """Print the figures as a table."""
    from napari_autofocus.cli.parts.evaluation_words import print_figures
    from napari_autofocus.cli.parts.refocuser_words import print_gains
    from napari_autofocus.models.refocus.dataset import RefocusEvaluation

    if isinstance(found, RefocusEvaluation):
        print_gains(found)
    else:
        told = found.to_json()
        print_figures(told, "all frames" if "simulated" in told else "all stacks")
