"""Start from weights learnt on ImageNet, which the user brings as a file.

Files are safetensors only: opening one never runs code from it. None is shipped and none is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from napari_autofocus.errors import InputError

__all__ = ["load_imagenet_weights"]

SHOWN = 3  # names that a message spells out
COUNTER = ".num_batches_tracked"  # of a normalisation; older files lack it, and no answer depends on it


def load_imagenet_weights(backbone: nn.Module, path: str | PathLike[str]) -> None:
    """Fill a backbone with ImageNet weights, all but its last layer, which has other outputs and keeps its own.

    Parts that the published network does not have (``own_parts`` of the backbone) keep theirs too.

    Where the backbone takes other than three channels, each channel of the first layer gets the mean over the file's
    three colours, scaled so that a grey image answers as it did in colour (ours). Nothing is changed if the file does
    not fit.

    Parameters
    ----------
    backbone : nn.Module
        As :func:`~napari_autofocus.models.backbones.registry.build_backbone` made it.
    path : path-like
        A .safetensors file with torchvision's names of parameters, of the same network and width.

    Raises
    ------
    InputError
        If the file cannot be read, or has other names or shapes.
    """
    path = Path(path)
    own = backbone.state_dict()
    first, last = _ends(backbone)
    wanted, given = (_without((last, *_own_parts(backbone)), tensors) for tensors in (own, _read(path)))
    _check_names(path, wanted, given)
    filters = f"{first}.weight"
    given[filters] = _for_channels(given[filters], wanted[filters].shape[1])
    _check_tensors(path, wanted, given)
    backbone.load_state_dict(own | given)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        raise InputError(
            f"{path} is no .safetensors file, and others may run code when they are opened; where torchvision is "
            "installed, write one with `safetensors.torch.save_file(torchvision.models.mobilenet_v3_small(weights="
            '"DEFAULT").state_dict(), "mobilenet_v3_small.safetensors")`'
        )
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"the weights {path} cannot be read: {error}") from error


def _ends(backbone: nn.Module) -> tuple[str, str]:
    """Names of the first convolution and of the last linear layer."""
    convolutions = [name for name, layer in backbone.named_modules() if isinstance(layer, nn.Conv2d)]
    linear = [name for name, layer in backbone.named_modules() if isinstance(layer, nn.Linear)]
    return convolutions[0], linear[-1]


def _own_parts(backbone: nn.Module) -> tuple[str, ...]:
    parts: tuple[str, ...] = getattr(backbone, "own_parts", ())
    return parts


def _without(layers: tuple[str, ...], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is to be loaded: all tensors but those of some layers and the counters."""
    left_out = tuple(f"{layer}." for layer in layers)
    return {
        name: value for name, value in tensors.items() if not name.startswith(left_out) and not name.endswith(COUNTER)
    }


def _check_names(path: Path, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    missing = [name for name in wanted if name not in given]
    unexpected = [name for name in given if name not in wanted]
    faults = [
        f"{kind} {_some(names)}" for kind, names in (("lacks", missing), ("has the unknown", unexpected)) if names
    ]
    if faults:
        raise InputError(
            f"the weights {path} are of another network: the file {' and '.join(faults)}; bring the file of this "
            "network, with torchvision's names"
        )


def _check_tensors(path: Path, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    unlike = [
        f"{name} {tuple(value.shape)} instead of {tuple(wanted[name].shape)}"
        for name, value in given.items()
        if value.shape != wanted[name].shape
    ]
    if unlike:
        raise InputError(
            f"the weights {path} are of another size of network: {_some(unlike)}; build it with the width of the file"
        )
    broken = [name for name, value in given.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise InputError(f"the weights {path} hold numbers that are not finite, in {_some(broken)}; get the file again")


def _for_channels(weight: Tensor, channels: int) -> Tensor:
    """The first layer's filters (outputs, colours, height, width) for so many channels."""
    colours = weight.shape[1] if weight.ndim == 4 else channels
    if colours == channels:
        return weight
    mean = weight.float().mean(1, keepdim=True) * (colours / channels)
    return mean.expand(-1, channels, -1, -1).contiguous()


def _some(items: Iterable[str]) -> str:
    """The first few of several, and how many more there are."""
    listed = list(items)
    more = len(listed) - SHOWN
    return ", ".join(listed[:SHOWN]) + (f" and {more} more" if more > 0 else "")
