"""The trainable networks of a package, built from its card and filled with its weights: torch, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import safetensors
import safetensors.torch
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from napari_autofocus.errors import InputError
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.importance import ImportanceNetwork, ImportanceSettings
from napari_autofocus.models.package.card import NetworkCard
from napari_autofocus.models.package.members import DEFOCUS_WEIGHTS, IMPORTANCE_WEIGHTS, REFOCUS_WEIGHTS
from napari_autofocus.models.package.reading import ModelPackage, VirtualPackage
from napari_autofocus.models.tsva import TsvaNetwork, TsvaSettings

ARCHITECTURES: dict[str, tuple[type[Any], Callable[[Any], nn.Module]]] = {
    "DefocusNetwork": (DefocusSettings, DefocusNetwork),
    "ImportanceNetwork": (ImportanceSettings, ImportanceNetwork),
    "TsvaNetwork": (TsvaSettings, TsvaNetwork),
}
"""By the name on the card: the settings that a network is built from, and the network."""


def network_card(network: nn.Module) -> NetworkCard:
    """How to build such a network again, for the card: its architecture and its ``settings``.

    Raises
    ------
    InputError
        If it is none of :data:`ARCHITECTURES`.
    """
    for name, (settings, _) in ARCHITECTURES.items():
        if type(network).__name__ == name and isinstance(network.settings, settings):
            return NetworkCard(architecture=name, settings=json.loads(json.dumps(network.settings.to_json())))
    raise InputError(
        f"A {type(network).__name__} cannot be built from a card; known are {', '.join(sorted(ARCHITECTURES))}."
    )


def load_networks(package: ModelPackage) -> tuple[nn.Module, nn.Module]:
    """The defocus and the importance network of a package, on the CPU, ready to answer or to be trained further.

    Raises
    ------
    InputError
        If an architecture is unknown, or the weights do not fit it.
    """
    return (
        _load(package.card.defocus_network, package.members[DEFOCUS_WEIGHTS], DEFOCUS_WEIGHTS),
        _load(package.card.importance_network, package.members[IMPORTANCE_WEIGHTS], IMPORTANCE_WEIGHTS),
    )


def load_refocus_network(package: VirtualPackage) -> TsvaNetwork:
    """The network of a virtual refocuser, on the CPU, ready to answer or to be trained further.

    Raises
    ------
    InputError
        If its architecture is another, or the weights do not fit it.
    """
    network = _load(package.card.network, package.members[REFOCUS_WEIGHTS], REFOCUS_WEIGHTS)
    if not isinstance(network, TsvaNetwork):
        raise InputError(f"The model {package.card.name} has another network than virtual refocusing; choose another.")
    return network


def rescaled(network: DefocusNetwork, settings: DefocusSettings, *, mirrored: bool = False) -> DefocusNetwork:
    """A defocus network that says the same of other lengths: its bins stand for those of ``settings``.

    A network for colour becomes one for grey images if the settings ask for it, which answers to them as the other does
    to three equal colours.

    Blur depends on defocus over the depth of field, so that a network taught through one objective says much the same
    through another one once its µm are counted in depths of field. Ours.

    Parameters
    ----------
    mirrored : bool
        Exchange the sides of focus too: aberration of the other sign makes one side look like the other.

    Raises
    ------
    InputError
        If the settings ask for another number of bins, or another network.
    """
    other = DefocusNetwork(settings)
    weights = network.state_dict()
    if network.settings.channels == 3 and settings.channels == 1:
        first = next(name for name, value in weights.items() if value.ndim == 4)
        weights[first] = weights[first].sum(dim=1, keepdim=True)
    try:
        other.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"A network of {network.settings.bins} bins cannot stand for {settings.bins} bins of another network; keep"
            " its backbone and channels, and the number of its bins."
        ) from error
    if mirrored:
        _exchange_sides(other)
    return other


def _exchange_sides(network: DefocusNetwork) -> None:
    last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.copy_(last.weight.flip(0).clone())
        last.bias.copy_(last.bias.flip(0).clone())


def _load(card: NetworkCard, weights: bytes, name: str) -> nn.Module:
    network = _build(card)
    try:
        tensors = safetensors.torch.load(weights)
    except safetensors.SafetensorError as error:
        raise InputError(f"{name} cannot be read ({error}); fetch or write the model again.") from error
    wanted = {key: tensor.shape for key, tensor in network.state_dict().items()}
    if {key: tensor.shape for key, tensor in tensors.items()} != wanted:
        raise InputError(f"{name} does not fit the {card.architecture} that the card describes; write the model again.")
    network.load_state_dict(tensors)
    return network.eval()


def _build(card: NetworkCard) -> nn.Module:
    if card.architecture not in ARCHITECTURES:
        raise InputError(
            f"The card names the architecture {card.architecture!r}, which is not among"
            f" {', '.join(sorted(ARCHITECTURES))}; update napari-autofocus."
        )
    settings, network = ARCHITECTURES[card.architecture]
    try:
        return network(TypeAdapter(settings).validate_json(json.dumps(card.settings), strict=True))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise InputError(f"The card's settings of {card.architecture} are wrong at {place}: {fault['msg']}.") from error
