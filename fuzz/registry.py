"""Every target."""

from __future__ import annotations

from fuzz import commands, images, lists, packages

TARGETS = [*images.TARGETS, *lists.TARGETS, *packages.TARGETS, *commands.TARGETS]
