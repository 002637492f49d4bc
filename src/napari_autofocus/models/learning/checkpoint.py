"""Half-taught networks on disk: weights, their average and the optimiser's memory in one safetensors file."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, replacing

_FULL = {errno.ENOSPC, errno.EDQUOT}


def snapshot(network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """A copy of all that a network is on its way, in the main memory."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    tensors |= dict(_memory(optimiser))
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def restore(
    tensors: dict[str, Tensor], network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Fill a network, its average and its optimiser with a copy.

    Raises
    ------
    RuntimeError or KeyError
        If it is of another network.
    """
    network.load_state_dict(_part(tensors, "network."))
    average.load_state_dict(_part(tensors, "average."))
    _remember(optimiser, tensors)


def save_checkpoint(
    path: Path, network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, state: dict[str, Any]
) -> None:
    """Write a checkpoint; an older one is replaced only by a whole one.

    Parameters
    ----------
    state : dict
        Plain values to keep beside the tensors.

    Raises
    ------
    InputError
        If it cannot be written, because the disk is full for instance; an older one then stays.
    """
    make_folder(path.parent)
    content = save(snapshot(network, average, optimiser), metadata={"state": json.dumps(state)})
    try:
        with replacing(path) as unfinished:
            unfinished.write_bytes(content)
    except InputError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL:
            raise InputError(
                f"The disk is full, {path} cannot be written; make room and start the training again: it goes on from"
                " the checkpoint before."
            ) from error
        raise


def load_checkpoint(
    path: Path, network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> dict[str, Any]:
    """Read a checkpoint into a network, its average and its optimiser; gives back the plain values.

    Raises
    ------
    InputError
        If the file cannot be read, or belongs to another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            state: dict[str, Any] = json.loads(file.metadata()["state"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no checkpoint that can be read ({error}); delete it to begin anew.") from error
    try:
        restore(tensors, network, average, optimiser)
    except (RuntimeError, KeyError) as error:
        raise InputError(
            f"{path} is the checkpoint of another network; delete it, or choose another file for this one."
        ) from error
    return state


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _memory(optimiser: torch.optim.Optimizer) -> list[tuple[str, Tensor]]:
    """The optimiser's tensors by place: parameter groups in order, parameters in order."""
    return [
        (f"optimiser.{number}.{name}", value)
        for number, parameter in enumerate(_parameters(optimiser))
        for name, value in optimiser.state.get(parameter, {}).items()
    ]


def _remember(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    for number, parameter in enumerate(_parameters(optimiser)):
        kept = _part(tensors, f"optimiser.{number}.")
        if kept:
            # The number of steps lies beside the parameter too, as fused optimisers want it.
            optimiser.state[parameter] = {name: value.to(parameter.device) for name, value in kept.items()}
            for name in ("exp_avg", "exp_avg_sq"):
                optimiser.state[parameter][name] = _laid_out_like(parameter, optimiser.state[parameter][name])


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    if value.shape != parameter.shape:
        raise KeyError(f"{tuple(value.shape)} is not {tuple(parameter.shape)}")
    return torch.empty_like(parameter, requires_grad=False).copy_(value)


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
