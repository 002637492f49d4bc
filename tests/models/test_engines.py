"""onnxruntime and torch give the same answers, and a package's networks can be built again from its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_autofocus.errors import InputError
from napari_autofocus.models import networks
from napari_autofocus.models.defocus import DefocusNetwork
from napari_autofocus.models.importance import ImportanceNetwork
from napari_autofocus.models.networks import load_networks, network_card
from napari_autofocus.models.package import NetworkCard, open_package
from napari_autofocus.models.package.members import DEFOCUS_WEIGHTS
from napari_autofocus.models.package.writing import write_package
from napari_autofocus.models.predictor import load_model
from napari_autofocus.models.seeing.engines import OnnxEngine, TorchEngine
from tiny_models import (
    OPTICS,
    Members,
    TinyDefocus,
    TinyImportance,
    TinySettings,
    flat_frame,
    forge,
    repacked,
    tiny_card,
    tiny_file,
)

SAME = 0.01


@pytest.fixture
def tiny_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(networks.ARCHITECTURES, "TinyDefocus", (TinySettings, TinyDefocus))
    monkeypatch.setitem(networks.ARCHITECTURES, "TinyImportance", (TinySettings, TinyImportance))


@pytest.mark.usefixtures("tiny_architectures")
def test_torch_answers_as_onnxruntime_does(tmp_path: Path) -> None:
    path, frame = tiny_file(tmp_path), flat_frame(0.7)
    frame[60:120, 60:120, 0] = 40
    by_onnx = load_model(path).estimate(frame, optics=OPTICS)
    by_torch = load_model(path, device="cpu").estimate(frame, optics=OPTICS)
    assert by_torch.defocus_um == pytest.approx(by_onnx.defocus_um, abs=SAME)
    assert [(p.y, p.x) for p in by_torch.chosen_patches] == [(p.y, p.x) for p in by_onnx.chosen_patches]


def test_the_real_networks_survive_the_package(tmp_path: Path) -> None:
    """Half-precision weights, folded batch norms and all: torch and onnxruntime agree within 0.01 µm."""
    torch.manual_seed(3)
    defocus, importance = DefocusNetwork(), ImportanceNetwork()
    _make_decided(defocus)
    card = tiny_card(
        patch_px=128,
        stride_px=64,
        defocus_network=network_card(defocus),
        importance_network=network_card(importance),
    )
    package = write_package(tmp_path / "real.zip", card, defocus=defocus, importance=importance)
    patches = np.random.default_rng(1).random((3, 3, 128, 128), np.float32)
    overview = np.random.default_rng(2).random((1, 3, 16 + 8 * 4, 16 + 8 * 6), np.float32)
    by_onnx, by_torch = OnnxEngine(package), TorchEngine(package, "cpu")
    assert by_onnx.predict(patches) == pytest.approx(by_torch.predict(patches), abs=SAME)
    assert by_onnx.importance(overview) == pytest.approx(by_torch.importance(overview), abs=1e-3)
    assert by_onnx.importance(overview).shape == (5, 7)
    assert package.size_bytes < 10e6


def _make_decided(network: DefocusNetwork) -> None:
    """Let an untrained network prefer one defocus clearly, as a trained one does."""
    head = [module for module in network.backbone.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        head.bias[60:63] += 8.0


def test_a_networks_card_builds_it_again() -> None:
    card = network_card(ImportanceNetwork())
    assert card.architecture == "ImportanceNetwork"
    assert card.settings["widths"] == [16, 32, 48]


def test_a_network_of_ones_own_has_no_card() -> None:
    with pytest.raises(InputError, match="A Linear cannot be built from a card"):
        network_card(torch.nn.Linear(1, 1))


def _forged(path: Path, architecture: str, settings: dict[str, object]) -> Path:
    network = NetworkCard(architecture=architecture, settings=settings).model_dump(mode="json")  # type: ignore[arg-type]
    return repacked(path, lambda members: forge(members, lambda block: block.update(defocus_network=network)))


@pytest.mark.usefixtures("tiny_architectures")
@pytest.mark.parametrize(
    ("architecture", "settings", "words"),
    [
        ("Oracle", {}, "names the architecture 'Oracle'"),
        ("TinyDefocus", {"channels": "3"}, "settings of TinyDefocus are wrong at channels"),
        ("TinyDefocus", {"channels": 1}, "does not fit the TinyDefocus"),
        ("DefocusNetwork", {"bin_um": 100.0}, "Bins must be narrower"),
        ("DefocusNetwork", {"backbone": "oracle"}, "oracle"),
    ],
)
def test_a_card_that_builds_no_network_is_refused(
    tmp_path: Path, architecture: str, settings: dict[str, object], words: str
) -> None:
    package = open_package(_forged(tmp_path, architecture, settings))
    with pytest.raises(InputError, match=words):
        load_networks(package)


@pytest.mark.usefixtures("tiny_architectures")
def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    def break_weights(members: Members) -> None:
        members[DEFOCUS_WEIGHTS] = b"\x80\x04K\x01."  # a pickle
        forge(members)

    package = open_package(repacked(tmp_path, break_weights))
    with pytest.raises(InputError, match=r"defocus\.safetensors cannot be read"):
        load_networks(package)


@pytest.mark.usefixtures("tiny_architectures")
@pytest.mark.parametrize("device", ["abacus", "cuda:77"])
def test_a_device_that_is_not_there_is_one_sentence(tmp_path: Path, device: str) -> None:
    with pytest.raises(InputError, match=f"torch cannot use the device '{device}' here") as error:
        load_model(tiny_file(tmp_path), device=device)
    assert "\n" not in str(error.value)
