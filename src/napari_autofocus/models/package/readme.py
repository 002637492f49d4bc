"""The README of a package: its card in words, for people who found the file without us."""

from __future__ import annotations

import json

from napari_autofocus.focus.deciding.settings import Pooling
from napari_autofocus.models.package.card import ModelCard
from napari_autofocus.models.package.virtual_card import VirtualCard


def readme_of(card: ModelCard | VirtualCard) -> str:
    """Markdown that says what the model is for, how to use it and how well it does."""
    return _of_refocuser(card) if isinstance(card, VirtualCard) else _of_focus_model(card)


_POOLED: dict[Pooling, str] = {
    "median": "median",
    "mean": "mean",
    "weighted_median": "median, weighted by importance over variance,",
    "weighted_mean": "mean, weighted by importance over variance,",
    "weighted_huber": "robust mean (Huber), weighted by importance over variance,",
}


def _of_focus_model(card: ModelCard) -> str:
    optics, two = card.optics, card.kind == "two-shot"
    shots = "One camera frame in, its"
    if two:
        shots = f"Two camera frames in, the second {card.dz_um:g} µm more defocused than the first; the second's"
    files = f"one.tif other.tif --dz-um {card.dz_um:g}" if two else "frame.tif"
    call = (
        f'load_pair_model("FILE").estimate_pair(one, other, dz_um={card.dz_um:g})'
        if two
        else ('load_model("FILE").estimate(image)')
    )
    filtered = "of the filtered difference of the shots (see napari_autofocus.models.difference)" if two else "in full"
    return f"""# {card.name}

{card.description}

{shots} signed defocus in µm out. Two graphs work together: `importance.onnx` sees the whole frame,
reduced {card.reduction} times, and says for each patch of {card.patch_px} px (one every {card.stride_px} px) how much
it will tell about focus; `defocus.onnx`, the weights of this resource, judges the chosen patches, at most
{card.selection.most_patches}, {filtered}. Their {_POOLED[card.decision.pooling]} is the field's defocus.

## Use

With napari-autofocus: `napari-autofocus estimate {files} --model FILE`, or in Python
`napari_autofocus.{call}`. Other software can run `defocus.onnx` on patches; each answer has
three columns: defocus in µm, its standard uncertainty in µm, and the probability that the defocus is positive.
{_corrected(card)}
- **Optics**: {optics.objective.name}, {optics.pixel_size_um:g} µm a pixel, {optics.colour}; others are refused unless
  one insists, and then the sign itself may be wrong.
- **Trained on**: {", ".join(card.stains) or "not stated"}; defocus within ±{card.range_um:g} µm; depth of field
  {card.dof_um:g} µm.
- **Sign**: {card.sign_convention}
- **Input**: {card.normalisation}

{_measured(card)}
Patches and importance follow SparseFocus (Zhai et al.), the decision by spread Liao et al., Biomed. Opt. Express 13(1)
314, 2021{"; the difference of two shots Rai Dastidar, CVPR workshops 2019" if two else ""}.
"""


def _corrected(card: ModelCard) -> str:
    if card.decision.response is None:
        return ""
    return """The first is a raw reading, drawn towards focus where it is near: napari-autofocus takes it through the
curve that stands in `rdf.yaml` as `response`, from `reading_um` to `defocus_um`, with straight lines between.
"""


def _of_refocuser(card: VirtualCard) -> str:
    optics = card.optics
    return f"""# {card.name}

{card.description}

Two defocused camera frames of one field in, the image in focus out, with the standard deviation to expect of each
pixel. Nothing moves.

## Use

With napari-autofocus: `napari-autofocus virtual-refocus one.tif other.tif --model FILE -o out.tif`. Other software can
run `refocus.onnx` on pairs of shots whose sides are multiples of {card.stride_px} px; answers within
{card.overlap_px} px of a border depend on what lies beyond.

- **Optics**: {optics.objective.name}, {optics.pixel_size_um:g} µm a pixel, {optics.colour}; others are refused unless
  one insists.
- **Trained on**: {", ".join(card.stains) or "not stated"}; shots {2 * card.half_um[0]:g} to {2 * card.half_um[1]:g} µm
  apart, the middle between them N(0, {card.error_um:g}) µm from focus.
- **Input**: {card.normalisation}

{_measured(card)}
After Li et al., arXiv:2003.06630.
"""


def _measured(card: ModelCard | VirtualCard) -> str:
    return f"""## Validation

On slides that were never trained on:

```json
{json.dumps(card.evaluation, indent=1)}
```

## Training

Seed {card.training.seed}, {card.training.minutes:g} minutes, finished {card.training.finished.isoformat()}, code
version {card.training.code_version}. `training.json` holds the record; the `.safetensors` files hold the
trainable weights. The format's own entry for PyTorch weights is a pickle, which this project neither writes nor reads.
"""
