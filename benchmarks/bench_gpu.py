"""The one-shot estimate with torch on a GPU, where there is one, beside onnxruntime on the CPU."""

from __future__ import annotations

import numpy as np
import torch

from bench_rows import Findings, Growth, Row, take_turns
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.models.predictor import ModelPredictor, every_patch
from napari_autofocus.models.seeing.engines import TorchEngine
from single_shot_networks import package_of, predictor_of
from single_shot_speed import make_frame

MODEL = "brightfield-20x"
SIDES = (1024, 2048, 4096)


def measure(quick: bool, threads: int) -> Findings:
    """All rows of this subject."""
    device = device_here()
    if not device:
        return Findings(skipped={"all rows": "torch finds neither CUDA nor MPS on this machine."})
    package = package_of(MODEL)
    on_device, on_cpu = ModelPredictor(package, TorchEngine(package, device)), predictor_of(package, threads)
    optics, full = ImageOptics(package.card.optics.objective), make_frame(package)
    frames = {1024: np.ascontiguousarray(full[:1024, :1024]), 2048: full, 4096: np.tile(full, (2, 2, 1))}
    found = Findings(facts={"device": _name(device), "threads": threads})
    ms = []
    for side in SIDES[:1] if quick else SIDES:
        models = {"gpu": on_device, "onnxruntime on the CPU": on_cpu,
                  "all patches on the GPU": on_device.variant(choose=every_patch)}  # fmt: skip
        calls = {
            name: lambda model=model, frame=frames[side]: model.estimate(frame, optics=optics)
            for name, model in models.items()
        }
        times = take_turns(calls, seconds=2.0, rest_s=0.1)
        others = {name: each for name, each in times.items() if name != "gpu"}
        found.rows.append(
            Row.of_times(f"one-shot estimate on {device}, {side} x {side} RGB", times["gpu"], against=others)
        )
        ms.append(found.rows[-1].median)
    if len(ms) > 1:
        found.growths.append(Growth(f"estimate on {device}", "pixels", tuple(float(s**2) for s in SIDES), tuple(ms)))
    return found


def device_here() -> str:
    """``cuda``, ``mps`` or nothing."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else ""


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else device
