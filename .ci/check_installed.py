"""Checks, in an environment into which only the wheel was installed, that napari finds the plugin and all it names."""

from __future__ import annotations

import importlib
import sys

from npe2 import PluginManager


def main() -> None:
    manager = PluginManager.instance()
    manager.discover()
    manifest = manager.get_manifest("napari-autofocus")
    commands = manifest.contributions.commands or []
    names = [command.python_name for command in commands if command.python_name]
    if not names:
        sys.exit("the manifest names no command")
    for name in names:
        module, _, attribute = name.partition(":")
        if not hasattr(importlib.import_module(module), attribute):
            sys.exit(f"{name} does not exist")
    for sample in manifest.contributions.sample_data or []:
        layers = sample.open()
        if not layers:
            sys.exit(f"sample data {sample.key} opens nothing")
    print(f"plugin: {len(names)} commands import, {len(manifest.contributions.sample_data or [])} samples open")


if __name__ == "__main__":
    main()
