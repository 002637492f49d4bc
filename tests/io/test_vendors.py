from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bioio
import numpy as np
import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.io import find_stacks, open_stack


@pytest.mark.parametrize(("ending", "extra"), [("czi", "czi"), ("nd2", "nd2")])
def test_a_missing_extra_is_named_with_its_command(tmp_path: Path, ending: str, extra: str) -> None:
    if importlib.util.find_spec(f"bioio_{extra}"):
        pytest.skip(f"bioio-{extra} is installed")
    (tmp_path / f"a.{ending}").write_bytes(b"x")
    with pytest.raises(InputError, match=rf"not installed; run: pip install 'napari-autofocus\[{extra}\]'"):
        open_stack(tmp_path / f"a.{ending}")
    assert find_stacks([tmp_path]) == [tmp_path / f"a.{ending}"]


class _Image:
    """As much of bioio's BioImage as is used."""

    dask_data = np.random.default_rng(0).integers(0, 255, (1, 2, 4, 6, 8), dtype=np.uint8)
    channel_names = ("BF", "GFP")
    scenes = ("A", "B")
    physical_pixel_sizes = SimpleNamespace(X=0.1, Y=0.1, Z=0.4)

    def __init__(self, path: Path, reader: Any) -> None:
        self.scene: int | None = None

    def set_scene(self, number: int) -> None:
        self.scene = number


def test_what_bioio_says_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_autofocus.io.vendors.importlib.import_module", lambda name: SimpleNamespace(Reader=None)
    )
    monkeypatch.setattr(bioio, "BioImage", _Image)
    (tmp_path / "a.czi").write_bytes(b"x")

    assert find_stacks([tmp_path]) == [tmp_path / "a.czi::0", tmp_path / "a.czi::1"]
    with pytest.raises(InputError, match="holds 2 scenes"):
        open_stack(tmp_path / "a.czi")
    with pytest.raises(InputError, match=r"0 \(BF\), 1 \(GFP\)"):
        open_stack(tmp_path / "a.czi::1")
    stack = open_stack(tmp_path / "a.czi::1", channel="GFP")
    np.testing.assert_array_equal(np.asarray(stack.data), _Image.dask_data[0, 1])
    np.testing.assert_allclose(stack.z_um, np.arange(4) * 0.4)
    assert stack.pixel_size_um == 0.1
