"""A population on Ray Tune: its scheduler decides who takes over from whom, its actors teach, on this machine.

The only place that knows Ray, an optional extra. Nothing is kept in Ray's own formats, which are pickles: weights and
what was decided lie in the work folder as plain files (``member.py``), and a population that was stopped is
begun again from those. Ray's files lie in that folder too, and go when it ends. Nothing is reported to anyone: usage
statistics and the dashboard are off, and Ray listens on this machine only.
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.schedulers import PopulationBasedTraining

from napari_autofocus.errors import InputError
from napari_autofocus.models.dataset import Dataset
from napari_autofocus.steps import run_to_end
from napari_autofocus.workflows.tune.line import Line
from napari_autofocus.workflows.tune.member import (
    LOST_UM,
    GenerationEnd,
    TuningJob,
    learn_generation,
    note_now,
)
from napari_autofocus.workflows.tune.plan import COPIED, Start, varied
from napari_autofocus.workflows.tune.steps import GenerationEnded, TakenOver, keep_starts

_SOCKETS = 68
"""Characters of the longest name of a socket below Ray's folder; systems allow 107 in all."""
_TRIES = 4
_NICE = 15
"""By how much members give way to other programs."""
_OBJECT_STORE = 80 * 2**20
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # members see the GPU that they are told to use
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "OMP_WAIT_POLICY": "PASSIVE",
}


class _Stopped(Exception):
    """Ends Ray's loop."""


class _Member(tune.Trainable):  # type: ignore[misc]
    """A member in a process of its own; an iteration is a generation."""

    def setup(self, config: dict[str, Any], job: TuningJob) -> None:
        if hasattr(os, "nice"):
            os.nice(_NICE)  # to a live image beside it, say; not so Ray itself, which gives up where it has to wait
        self.job, self.data = job, Dataset(job.data)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.own, self.done = new_config["own"], int(new_config["own"]["begun"])
        return True

    def step(self) -> dict[str, Any]:
        start, generation = _start_in(self.own, self.done), self.done + 1
        try:
            end = self._learned(start, generation)
            score, failed = end.score_um, end.failed or ""
        except InputError as error:  # for whoever started this; the others go on
            score, failed = LOST_UM, str(error)
        self.done = generation
        return {"score_um": score, "generation": generation, "failed": failed}

    def _learned(self, start: Start, generation: int) -> GenerationEnd:
        learning = learn_generation(self.job, start, generation, self.data)
        return run_to_end(learning, lambda step: note_now(self.job, start.member, generation, step, os.getpid()))

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        (Path(checkpoint_dir) / "generation.json").write_text(json.dumps(self.done), encoding="utf-8")

    def load_checkpoint(self, checkpoint: Any) -> None:
        self.done = int(json.loads((Path(checkpoint) / "generation.json").read_text(encoding="utf-8")))


class _Selection(PopulationBasedTraining):  # type: ignore[misc]
    """Ray's scheduler, whose choices follow the seed and are written down.

    Parameters
    ----------
    job : TuningJob
        Whose members.
    line : Line
        Who is told.
    begun : int
        Generations that are over. Without this, synchronous selection would wait for ever where it goes on.
    """

    def __init__(self, job: TuningJob, line: Line, begun: int) -> None:
        super().__init__(
            time_attr="generation",
            metric="score_um",
            mode="min",
            perturbation_interval=1,
            burn_in_period=begun + 1,
            quantile_fraction=COPIED,
            custom_explore_fn=lambda config: config,
            log_config=False,
            synch=True,
        )
        self._job, self._line = job, line
        self._ended: dict[int, int] = {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        generation = int(result["generation"])
        before = random.getstate()
        random.seed(f"{self._job.settings.seed} {generation}")  # Ray draws which of the best is copied
        try:
            decision = str(super().on_trial_result(tune_controller, trial, result))
        finally:
            random.setstate(before)
        self._ended[_number(trial)] = generation
        trials = tune_controller.get_trials()
        if len(self._ended) == len(trials) and set(self._ended.values()) == {generation}:
            keep_starts(self._job.work, generation, [_start_in(each.config["own"], generation) for each in trials])
        return decision

    def _get_new_config(self, trial: Any, trial_to_clone: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """How the worse of two members goes on: a step that Ray's own schedulers replace, too."""
        generation, member, other = self._ended_with(trial_to_clone), _number(trial), _number(trial_to_clone)
        copied, settings = _start_in(trial_to_clone.config["own"], generation), self._job.settings
        rng = np.random.default_rng([settings.seed, generation, member])
        start = Start(member, other, copied.width, varied(copied.values, settings.ranges, rng))
        self._line.told.put(TakenOver(generation, start))
        return {"own": {**trial.config["own"], "start": start.to_json(), "since": generation}}, {}

    def _ended_with(self, trial: Any) -> int:
        return int(self._trial_state[trial].last_train_time)


class _Telling(tune.Callback):  # type: ignore[misc]
    """Hears every result, also the last ones, which the scheduler does not."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def on_step_begin(self, **_: Any) -> None:
        if self._line.stop.is_set():
            raise _Stopped

    def on_trial_result(self, *, trial: Any, result: dict[str, Any], **_: Any) -> None:
        score, failed = float(result["score_um"]), str(result["failed"]) or None
        self._line.told.put(GenerationEnded(_number(trial), int(result["generation"]), score, failed))


def run_population(job: TuningJob, starts: tuple[Start, ...], begun: int, line: Line) -> None:
    """Let all members learn all generations that are left; blocks until then, or until ``line.stop`` is set.

    Parameters
    ----------
    job : TuningJob
        What they learn.
    starts : tuple of Start
        How each begins the next generation.
    begun : int
        Generations that are over.
    line : Line
        Where what happens is told.

    Raises
    ------
    InputError
        If Ray does not start here, or runs in this process already.
    """
    results = job.work / "ray-results"
    shutil.rmtree(results, ignore_errors=True)
    with _ray(job), suppress(_Stopped):
        configs = [{"start": start.to_json(), "since": begun, "begun": begun} for start in starts]
        taught = tune.with_resources(tune.with_parameters(_Member, job=job), {"cpu": 1})
        tune.Tuner(
            taught,
            param_space={"own": tune.grid_search(configs)},
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                scheduler=_Selection(job, line, begun),
                trial_name_creator=lambda trial: f"member-{_number(trial)}",
                trial_dirname_creator=lambda trial: f"member-{_number(trial)}",
            ),
            run_config=tune.RunConfig(
                name="population",
                storage_path=str(results.resolve()),
                stop={"generation": job.settings.generations},
                verbose=0,
                callbacks=[_Telling(line)],
                failure_config=tune.FailureConfig(max_failures=-1),  # members count their attempts themselves
                checkpoint_config=tune.CheckpointConfig(num_to_keep=3),
            ),
        ).fit()
    shutil.rmtree(results, ignore_errors=True)


def _number(trial: Any) -> int:
    """Of a member."""
    return int(trial.config["own"]["start"]["member"])


def _start_in(own: dict[str, Any], ended: int) -> Start:
    """How a member goes on after a generation; it has taken over from another only if that was decided then."""
    start = Start.from_json(own["start"])
    return start if own["since"] == ended else replace(start, taken=start.member)


@contextmanager
def _ray(job: TuningJob) -> Iterator[None]:
    """Ray for as long as the block runs, on this machine only, silent, its files in the work folder."""
    if ray.is_initialized():
        raise InputError("Ray runs in this process already, for something else; shut it down first (ray.shutdown()).")
    before = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ.update(_SETTINGS)
    level = logging.getLogger("ray").level
    folder = _folder(job.work)
    try:
        _begin(job, folder)
        yield
    finally:
        ray.shutdown()
        _end_what_is_left(folder)
        shutil.rmtree(folder, ignore_errors=True)
        logging.getLogger("ray").setLevel(level)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _begin(job: TuningJob, folder: Path) -> None:
    """Start Ray; it gives up after half a minute, which a busy machine may need more than once."""
    reason = ""
    for _ in range(_TRIES):
        try:
            ray.init(
                num_cpus=min(job.settings.workers, job.settings.population),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=_OBJECT_STORE,
                _temp_dir=str(folder),
                _node_ip_address="127.0.0.1",
            )
            return
        except Exception as error:
            if type(error) is not Exception and not isinstance(error, OSError | RuntimeError | ValueError | RayError):
                raise
            reason = str(error).partition("\n")[0]
            ray.shutdown()
            _end_what_is_left(folder)
    raise InputError(f"Ray, which tuning runs on, does not start here ({reason}); see docs/tuning.md.")


def _end_what_is_left(folder: Path) -> None:
    """End processes of ours that work in Ray's folder: it forgets those of a start in which it gave up."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(str(folder) in word for word in process.cmdline()):
                process.kill()


def _folder(work: Path) -> Path:
    """Where Ray keeps its files: in the work folder, unless the names of its sockets would grow too long there."""
    own = work.resolve() / "ray"
    if len(str(own)) + _SOCKETS < 107:
        return own
    return Path(tempfile.mkdtemp(prefix="naf-ray-"))
