"""The model that workers ask: named so that all of them find it, opened once in each."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from napari_autofocus.models.pair_predictor import PairModelPredictor, load_focus_model
from napari_autofocus.models.predictor import ModelPredictor


def name_for_workers(model: str) -> str:
    """The name or file of a model as workers find it, whatever folder they work in."""
    return str(Path(model).absolute()) if Path(model).exists() else model


@lru_cache(maxsize=1)
def worker_model(name: str) -> ModelPredictor | PairModelPredictor:
    """A worker's model; the newest stays open."""
    return load_focus_model(name).on_one_thread()
