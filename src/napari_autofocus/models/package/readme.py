"""The README of a package: its card in words, for people who found the file without us."""

from __future__ import annotations

import json

from napari_autofocus.models.package.card import ModelCard


def readme_of(card: ModelCard) -> str:
    """Markdown that says what the model is for, how to use it and how well it does."""
    optics = card.optics
    return f"""# {card.name}

{card.description}

One camera frame in, its signed defocus in µm out. Two graphs work together: `importance.onnx` sees the whole frame,
reduced {card.reduction} times, and says for each patch of {card.patch_px} px (one every {card.stride_px} px) how much
it will tell about focus; `defocus.onnx`, the weights of this resource, judges the chosen patches, at most
{card.selection.most_patches}, at full resolution. Their {card.decision.pooling.replace("_", " ")} is the field's
defocus.

## Use

With napari-autofocus: `napari-autofocus estimate frame.tif --model FILE`, or in Python
`napari_autofocus.load_model("FILE").estimate(image)`. Other software can run `defocus.onnx` on patches; each answer has
three columns: defocus in µm, its standard uncertainty in µm, and the probability that the defocus is positive.

- **Optics**: {optics.objective.name}, {optics.pixel_size_um:g} µm a pixel, {optics.colour}; others are refused unless
  one insists, and then the sign itself may be wrong.
- **Trained on**: {", ".join(card.stains) or "not stated"}; defocus within ±{card.range_um:g} µm; depth of field
  {card.dof_um:g} µm.
- **Sign**: {card.sign_convention}
- **Input**: {card.normalisation}

## Validation

On slides that were never trained on:

```json
{json.dumps(card.evaluation, indent=1)}
```

## Training

Seed {card.training.seed}, {card.training.minutes:g} minutes, finished {card.training.finished.isoformat()}, code
version {card.training.code_version}. `training.json` holds the record; the `.safetensors` files hold the
trainable weights. The format's own entry for PyTorch weights is a pickle, which this project neither writes nor reads.

Patches and importance follow SparseFocus (Zhai et al.), the decision by spread Liao et al., Biomed. Opt. Express 13(1)
314, 2021.
"""
