"""A network made ready to be taught: on its device, its weights grouped for the optimiser, its average."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.models.learning.settings import Leg
from napari_autofocus.models.learning.shared_layers import SharedDropout

_Tensors = tuple[Tensor, ...] | list[Tensor]


def moving_average(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    """An exponential moving average that forgets its beginnings: its decay grows to the final one."""

    @torch.no_grad()
    def update(averaged: _Tensors, current: _Tensors, count: Tensor | int) -> None:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        for old, new in zip(averaged, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - kept)
            else:
                old.copy_(new)

    return update


def placed(network: nn.Module, device: str) -> nn.Module:
    """The network on its device, its filters laid out channels last, which is half as fast again on CPUs."""
    try:
        network.to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"torch cannot train on the device {device!r} here ({reason}); choose cpu.") from error
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights of more than one dimension decay; biases and normalisation do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    decaying = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def follow(leg: Leg, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Learn on as a leg of the course says, but for the learning rate, which follows the schedule too."""
    decaying, *others = optimiser.param_groups
    decaying["weight_decay"] = leg.weight_decay
    for group in (decaying, *others):
        group["betas"] = (leg.momentum, group["betas"][1])
    for layer in network.modules():
        if isinstance(layer, nn.Dropout | SharedDropout):
            layer.p = leg.dropout
