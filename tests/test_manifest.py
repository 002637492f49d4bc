"""What npe2 finds of this plugin, and that all it points to exists."""

from __future__ import annotations

from dataclasses import asdict
from importlib import resources
from pathlib import Path

import pytest
from npe2 import PluginManager, PluginManifest
from npe2.manifest.utils import import_python_name
from PIL import Image

from napari_autofocus.sample_data import sample_path
from napari_autofocus.widgets.preferences import Preferences

PLUGIN = "napari-autofocus"


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution(PLUGIN)


def test_the_installed_manifest_is_the_one_at_the_top(manifest: PluginManifest) -> None:
    top = PluginManifest.from_file(Path(__file__).parents[1] / "napari.yaml")
    assert manifest.contributions == top.contributions


def test_every_command_points_to_something_callable(manifest: PluginManifest) -> None:
    for command in manifest.contributions.commands:
        assert callable(import_python_name(command.python_name)), command.id


def test_every_panel_is_offered(manifest: PluginManifest) -> None:
    names = [widget.display_name for widget in manifest.contributions.widgets]
    own = ["Microscope", "Autofocus", "Acquire stacks", "Acquire with autofocus", "Label z-stack", "Train", "Calibrate"]
    assert names == [*own, "Tunable lens", "Focus map", "Virtual refocus", "All in focus", "Sparsity tour"]


def test_menus_are_npe2s_own(manifest: PluginManifest) -> None:
    assert set(manifest.contributions.menus) == {
        "napari/file/acquire",
        "napari/layers/annotate",
        "napari/layers/filter",
    }


def test_every_sample_opens_as_a_stack_in_um(manifest: PluginManifest) -> None:
    for sample in manifest.contributions.sample_data:
        (data, attributes, kind), *others = import_python_name(
            next(c.python_name for c in manifest.contributions.commands if c.id == sample.command)
        )()
        assert kind == "image"
        assert not others
        assert len(attributes["metadata"]["napari_autofocus"]["z_um"]) == len(data)
        assert [str(unit) for unit in attributes["units"]] == ["um"] * 3


def test_a_dropped_stack_finds_our_reader() -> None:
    manager = PluginManager()
    manager.discover()
    readers = [reader.plugin_name for reader in manager.iter_compatible_readers([str(sample_path("he_dense"))])]
    assert PLUGIN in readers


def test_preferences_of_the_page_are_those_of_the_code(manifest: PluginManifest) -> None:
    if not hasattr(manifest.contributions, "configurations"):
        pytest.skip("this npe2 knows no pages of settings; 0.9 does")
    pages = manifest.contributions.configurations.values()
    stated = {name: each.default for page in pages for name, each in page.properties.items()}
    assert stated == asdict(Preferences())


def test_the_icon_is_there_and_large_enough(manifest: PluginManifest) -> None:
    package, _, name = manifest.icon.partition(":")
    with resources.files(package).joinpath(name).open("rb") as file, Image.open(file) as icon:
        assert icon.size == (256, 256)


def test_keys_are_the_windows_own_lest_they_be_ambiguous(manifest: PluginManifest) -> None:
    assert not manifest.contributions.keybindings
