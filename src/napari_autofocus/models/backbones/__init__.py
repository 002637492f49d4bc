"""Published image networks, built by name, that turn a patch into a few numbers.

Plain torch. Every network has torchvision's parameter names, so its ImageNet weights load. To add one, write a function
of :class:`BackboneOptions` and register it under its name, as the modules of this package do.
"""

from napari_autofocus.models.backbones import mobilenet_v3  # noqa: F401  (importing a family registers it)
from napari_autofocus.models.backbones.registry import BACKBONES, BackboneOptions, build_backbone, register

__all__ = ["BACKBONES", "BackboneOptions", "build_backbone", "register"]
