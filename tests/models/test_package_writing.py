"""A package is written whole or not at all, the same every time, and others can read it."""

from __future__ import annotations

import gc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from bioimageio.spec import InvalidDescr, load_description
from bioimageio.spec.model.v0_5 import ModelDescr
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.models.package import open_package
from napari_autofocus.models.package.members import (
    DEFOCUS_GRAPH,
    DEFOCUS_WEIGHTS,
    IMPORTANCE,
    IMPORTANCE_GRAPH,
    OVERVIEW,
    PATCHES,
    PREDICTION,
    RDF,
    README,
)
from napari_autofocus.models.package.onnx_graph import OnnxGraph
from napari_autofocus.models.package.writing import write_package
from tiny_models import PATCH, TinyDefocus, TinyImportance, members_of, tiny_bytes, tiny_card, tiny_file, write_tiny


class Columns(nn.Module):
    """A network that answers with two columns instead of three."""

    def forward(self, patches: Tensor) -> Tensor:
        return patches.mean(dim=(2, 3))[:, :2]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_package_is_valid_by_the_formats_own_library(tmp_path: Path) -> None:
    """Hashes and test tensors included; the library leaves the zip open, hence the filters."""
    found = load_description(tiny_file(tmp_path))
    assert not isinstance(found, InvalidDescr), found.validation_summary.display()
    assert isinstance(found, ModelDescr)
    assert found.validation_summary.status in ("valid-format", "passed")
    assert found.validation_summary.errors == []
    assert found.weights.onnx is not None
    assert found.weights.pytorch_state_dict is None
    del found
    gc.collect()


def test_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert open_package(tiny_file(tmp_path)).card == tiny_card()


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    write_tiny(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == tiny_bytes()


def test_writing_says_nothing_and_leaves_the_networks_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    network = TinyDefocus().train()
    with torch.no_grad():
        network.slope.weight += 1e-5  # lost in half precision
    before = network.slope.weight.clone()
    write_package(tmp_path / "a.zip", tiny_card(), defocus=network, importance=TinyImportance())
    assert torch.equal(network.slope.weight, before)
    assert network.training
    assert capfd.readouterr() == ("", "")


def test_a_package_that_would_not_open_leaves_the_old_file(tmp_path: Path) -> None:
    path = tiny_file(tmp_path)
    with pytest.raises(InputError, match=r"test_output\.npy has shape \(2, 2\), and the card asks for 2 x 3"):
        write_package(path, tiny_card(), defocus=Columns(), importance=TinyImportance())
    assert path.read_bytes() == tiny_bytes()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose a folder that exists"):
        write_tiny(tmp_path / "nowhere" / "a.zip")


@pytest.mark.parametrize(("half", "kind"), [(True, torch.float16), (False, torch.float32)])
def test_weights_are_kept_in_the_precision_asked_for(tmp_path: Path, half: bool, kind: torch.dtype) -> None:
    package = write_tiny(tmp_path / "a.zip", half=half)
    weights = safetensors.torch.load(package.members[DEFOCUS_WEIGHTS])
    assert weights["slope.weight"].dtype == kind
    assert weights["slope.bias"].dtype == torch.float32  # one-dimensional tensors are small, and batch norms delicate


def test_graphs_take_any_number_of_patches_and_any_field(tmp_path: Path) -> None:
    members = members_of(tiny_bytes())
    defocus = OnnxGraph(members[DEFOCUS_GRAPH], PATCHES, PREDICTION)
    importance = OnnxGraph(members[IMPORTANCE_GRAPH], OVERVIEW, IMPORTANCE)
    patches = np.full((7, 3, PATCH, PATCH), 0.75, np.float32)
    assert defocus.run(patches) == pytest.approx(np.tile([[5.0, 0.1, 1.0]], (7, 1)), abs=1e-3)
    overview = np.full((1, 3, 4 + 2 * 10, 4 + 2 * 4), 0.25, np.float32)
    assert importance.run(overview)[0, 0] == pytest.approx(np.full((11, 5), 0.75), abs=1e-3)


def test_graphs_tell_nothing_of_the_machine_that_wrote_them() -> None:
    content = b"".join(members_of(tiny_bytes()).values())
    assert str(Path(__file__).parent.parent).encode() not in content
    assert b"site-packages" not in content


def test_rdf_comes_first_and_times_are_fixed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tiny_file(tmp_path)) as archive:
        entries = archive.infolist()
    assert entries[0].filename == RDF
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_readme_says_what_the_model_is_for() -> None:
    readme = members_of(tiny_bytes())[README].decode()
    for words in ("20x/0.75", "0.325 µm a pixel", "±10 µm", "positive where sample and objective are too close"):
        assert words in readme
