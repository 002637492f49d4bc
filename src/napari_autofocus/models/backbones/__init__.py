"""Published image networks, built by name, that turn a patch into a few numbers.

Plain torch. Every network that torchvision has too has its names of parameters, so that its ImageNet weights load. To
add one, write a function of :class:`BackboneOptions` and register it under its name, as the modules of this package do.
"""

# Importing a family registers its members.
from napari_autofocus.models.backbones import (  # noqa: F401
    densenet,
    ghost,
    mobilenet_v2,
    mobilenet_v3,
    resnet,
    shufflenet_v2,
    spectral,
)
from napari_autofocus.models.backbones.imagenet import load_imagenet_weights
from napari_autofocus.models.backbones.registry import BACKBONES, BackboneOptions, build_backbone, register

__all__ = ["BACKBONES", "BackboneOptions", "build_backbone", "load_imagenet_weights", "register"]
