"""The files that README and docs speak of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pantry import fill


@pytest.fixture(scope="session")
def pantry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of them, to copy from."""
    folder = tmp_path_factory.mktemp("pantry")
    fill(folder)
    return folder
