"""The conda recipe asks for what the package asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
RECIPE = yaml.safe_load((ROOT / "packaging" / "conda-forge" / "recipe.yaml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"opencv-python-headless": "py-opencv", "matplotlib": "matplotlib-base"}
# PyPI counts the builds of OpenCV's wheels in a fourth number, conda-forge does not.
CONDA_VERSIONS = {"py-opencv": ">=4.10.0"}


def needs(lines: list[str]) -> dict[str, str]:
    parts = (re.fullmatch(r"([\w.-]+?)\s*((?:[<>=!~].*)?)", line.strip()) for line in lines)
    return {part[1]: part[2].replace(" ", "") for part in parts if part}


def test_the_recipe_needs_what_the_project_needs() -> None:
    wanted = {CONDA_NAMES.get(name, name): version for name, version in needs(PROJECT["dependencies"]).items()}
    found = needs(RECIPE["requirements"]["run"])
    assert found.pop("python") == ">=${{python_min}}"
    assert found == wanted | CONDA_VERSIONS


def test_it_is_of_the_same_version_licence_and_python() -> None:
    context = RECIPE["context"]
    assert (context["name"], context["version"]) == (PROJECT["name"], PROJECT["version"])
    assert PROJECT["requires-python"] == f">={context['python_min']}"
    assert (RECIPE["about"]["license"], RECIPE["about"]["summary"]) == (PROJECT["license"], PROJECT["description"])


@pytest.mark.parametrize("name", PROJECT["scripts"])
def test_its_command_is_the_project_s(name: str) -> None:
    assert RECIPE["build"]["python"]["entry_points"] == [f"{name} = {PROJECT['scripts'][name]}"]


def test_it_is_built_with_what_the_project_is_built_with() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert needs(build).items() <= needs(RECIPE["requirements"]["host"]).items()
