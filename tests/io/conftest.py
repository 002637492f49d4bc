from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_autofocus.focus.zstack import ZStack


@pytest.fixture
def stack() -> ZStack:
    rng = np.random.default_rng(3)
    data = rng.integers(0, 4096, (7, 24, 30), dtype=np.uint16)
    return ZStack(data, np.array([-3.0, -2.0, -0.5, 0.0, 0.25, 2.0, 9.5]), pixel_size_um=0.325, source="made")


@pytest.fixture
def real_data() -> Path:
    default = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("NAPARI_AUTOFOCUS_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real stacks in {folder}; name their folder in NAPARI_AUTOFOCUS_REAL_DATA")
    return folder
