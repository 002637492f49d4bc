"""The workflow of continuous integration: what it promises, and that what it calls is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
JOBS: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["jobs"]


def steps() -> Iterator[dict[str, Any]]:
    for job in JOBS.values():
        yield from job["steps"]


def test_every_system_and_every_python_is_tested() -> None:
    matrix = JOBS["tests"]["strategy"]["matrix"]
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert matrix["os"] == ["ubuntu-latest", "windows-latest", "macos-latest"]
    assert matrix["python"] == classifiers


def test_actions_are_pinned_by_their_major_version() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@v\d+", each) for each in used), used


def test_nothing_is_secret_and_nothing_may_be_written() -> None:
    assert "secrets." not in TEXT
    assert yaml.safe_load(TEXT)["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("script", sorted(set(re.findall(r"\.ci/[\w-]+", TEXT))))
def test_scripts_that_are_called_can_be_run(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o100


@pytest.mark.parametrize("target", sorted(set(re.findall(r"run: make (\w+)", TEXT))))
def test_targets_that_are_made_are_in_the_makefile(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)


def test_extras_that_are_installed_are_declared() -> None:
    wanted = {extra for group in re.findall(r'"\.\[([\w,]+)\]"', TEXT) for extra in group.split(",")}
    declared = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert {"napari", "dev", "pyside"} <= wanted <= set(declared)


def test_jobs_end() -> None:
    assert all(0 < job["timeout-minutes"] <= 120 for job in JOBS.values())
