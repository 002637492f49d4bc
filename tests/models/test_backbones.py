"""Backbones: the published networks under torchvision's names, built by name, started from ImageNet weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_autofocus.errors import InputError
from napari_autofocus.models.backbones import (
    BACKBONES,
    BackboneOptions,
    build_backbone,
    load_imagenet_weights,
    register,
)
from napari_autofocus.models.backbones.densenet import DenseNet
from napari_autofocus.models.backbones.ghost import GhostModule, _GhostBottleneck
from napari_autofocus.models.backbones.layers import round_channels
from napari_autofocus.models.backbones.resnet import EXPANSION, ResNet, _Bottleneck
from napari_autofocus.models.backbones.shufflenet_v2 import _stage
from napari_autofocus.models.backbones.spectral import TILE, PowerSpectrum

# Published, with 1000 outputs: https://docs.pytorch.org/vision/stable/models.html
PARAMETERS = {
    "densenet121": 7_978_856,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v2_narrow": 3_504_872,
    "mobilenet_v3_large": 5_483_032,
    "mobilenet_v3_small": 2_542_856,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "shufflenet_v2_x1_0": 2_278_604,
}
# Our own variants of published ones: what they cost is to be known, and not to change unnoticed.
OWN_PARAMETERS = {
    "mobilenet_v3_small_fft": 2_688_072,
    "mobilenet_v3_small_ghost": 2_386_920,
    "resnet50_ghost": 13_953_512,
}
# One of each kind of layer, with 1000 outputs: places of the state_dict that torchvision writes.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "mobilenet_v3_small": {
        "features.0.0.weight": (16, 3, 3, 3),
        "features.0.1.running_var": (16,),
        "features.1.block.0.0.weight": (16, 1, 3, 3),
        "features.1.block.1.fc1.weight": (8, 16, 1, 1),
        "features.1.block.1.fc2.bias": (16,),
        "features.1.block.2.0.weight": (16, 16, 1, 1),
        "features.2.block.0.0.weight": (72, 16, 1, 1),
        "features.2.block.2.1.num_batches_tracked": (),
        "features.4.block.1.0.weight": (96, 1, 5, 5),
        "features.4.block.2.fc1.weight": (24, 96, 1, 1),
        "features.4.block.3.0.weight": (40, 96, 1, 1),
        "features.11.block.2.fc1.weight": (144, 576, 1, 1),
        "features.12.0.weight": (576, 96, 1, 1),
        "classifier.0.weight": (1024, 576),
        "classifier.3.weight": (1000, 1024),
    },
    "mobilenet_v3_large": {
        "features.1.block.0.0.weight": (16, 1, 3, 3),
        "features.1.block.1.0.weight": (16, 16, 1, 1),
        "features.4.block.2.fc1.weight": (24, 72, 1, 1),
        "features.15.block.2.fc1.weight": (240, 960, 1, 1),
        "features.16.0.weight": (960, 160, 1, 1),
        "classifier.0.weight": (1280, 960),
    },
    "mobilenet_v2": {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.running_mean": (16,),
        "features.2.conv.0.0.weight": (96, 16, 1, 1),
        "features.2.conv.1.0.weight": (96, 1, 3, 3),
        "features.2.conv.2.weight": (24, 96, 1, 1),
        "features.17.conv.3.bias": (320,),
        "features.18.1.weight": (1280,),
        "classifier.1.weight": (1000, 1280),
    },
    "resnet18": {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.weight": (64,),
        "layer1.0.conv1.weight": (64, 64, 3, 3),
        "layer1.1.bn2.running_var": (64,),
        "layer2.0.conv1.weight": (128, 64, 3, 3),
        "layer2.0.downsample.0.weight": (128, 64, 1, 1),
        "layer2.0.downsample.1.bias": (128,),
        "layer4.1.conv2.weight": (512, 512, 3, 3),
        "fc.weight": (1000, 512),
    },
    "resnet34": {"layer3.5.conv2.weight": (256, 256, 3, 3), "layer4.2.bn1.weight": (512,)},
    "resnet50": {
        "conv1.weight": (64, 3, 7, 7),
        "layer1.0.conv1.weight": (64, 64, 1, 1),
        "layer1.0.bn1.weight": (64,),
        "layer1.0.conv2.weight": (64, 64, 3, 3),
        "layer1.0.conv3.weight": (256, 64, 1, 1),
        "layer1.0.bn3.running_var": (256,),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer1.0.downsample.1.weight": (256,),
        "layer2.0.conv1.weight": (128, 256, 1, 1),
        "layer3.5.conv2.weight": (256, 256, 3, 3),
        "layer4.2.conv3.weight": (2048, 512, 1, 1),
        "fc.weight": (1000, 2048),
    },
    "densenet121": {
        "features.conv0.weight": (64, 3, 7, 7),
        "features.norm0.weight": (64,),
        "features.denseblock1.denselayer1.norm1.weight": (64,),
        "features.denseblock1.denselayer1.conv1.weight": (128, 64, 1, 1),
        "features.denseblock1.denselayer1.norm2.running_mean": (128,),
        "features.denseblock1.denselayer1.conv2.weight": (32, 128, 3, 3),
        "features.denseblock1.denselayer6.conv1.weight": (128, 224, 1, 1),
        "features.transition1.norm.weight": (256,),
        "features.transition1.conv.weight": (128, 256, 1, 1),
        "features.denseblock4.denselayer16.conv1.weight": (128, 992, 1, 1),
        "features.norm5.bias": (1024,),
        "classifier.weight": (1000, 1024),
    },
    "shufflenet_v2_x1_0": {
        "conv1.0.weight": (24, 3, 3, 3),
        "conv1.1.weight": (24,),
        "stage2.0.branch1.0.weight": (24, 1, 3, 3),
        "stage2.0.branch1.1.bias": (24,),
        "stage2.0.branch1.2.weight": (58, 24, 1, 1),
        "stage2.0.branch1.3.running_var": (58,),
        "stage2.0.branch2.0.weight": (58, 24, 1, 1),
        "stage2.0.branch2.3.weight": (58, 1, 3, 3),
        "stage2.0.branch2.4.weight": (58,),
        "stage2.0.branch2.5.weight": (58, 58, 1, 1),
        "stage2.0.branch2.6.weight": (58,),
        "stage3.7.branch2.5.weight": (116, 116, 1, 1),
        "stage4.3.branch2.0.weight": (232, 232, 1, 1),
        "conv5.0.weight": (1024, 464, 1, 1),
        "fc.weight": (1000, 1024),
    },
}
# Number of entries, the first ones, and the last, in torchvision's order.
ORDER = {
    "mobilenet_v3_small": (244, ["features.0.0.weight", "features.0.1.weight"], "classifier.3.bias"),
    "mobilenet_v3_large": (312, ["features.0.0.weight", "features.0.1.weight"], "classifier.3.bias"),
    "mobilenet_v2": (314, ["features.0.0.weight", "features.0.1.weight"], "classifier.1.bias"),
    "resnet18": (122, ["conv1.weight", "bn1.weight"], "fc.bias"),
    "resnet34": (218, ["conv1.weight", "bn1.weight"], "fc.bias"),
    "resnet50": (320, ["conv1.weight", "bn1.weight"], "fc.bias"),
    "densenet121": (727, ["features.conv0.weight", "features.norm0.weight"], "classifier.bias"),
    "shufflenet_v2_x1_0": (338, ["conv1.0.weight", "conv1.1.weight"], "fc.bias"),
}
# At width 1 nothing is narrowed.
SHAPES["mobilenet_v2_narrow"], ORDER["mobilenet_v2_narrow"] = SHAPES["mobilenet_v2"], ORDER["mobilenet_v2"]
FAMILIES = ["mobilenet_v3_small", "mobilenet_v2", "resnet18", "resnet50", "densenet121", "shufflenet_v2_x1_0"]
OWN = sorted(OWN_PARAMETERS)
SMALL = "mobilenet_v3_small"


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        yield


def _images(count: int = 2, channels: int = 3, size: int = 64) -> Tensor:
    return torch.rand(count, channels, size, size)


def _saved(backbone: nn.Module, path: Path) -> Path:
    save_file(backbone.state_dict(), path)
    return path


def _small(name: str, **options: Any) -> nn.Module:
    """A backbone of the kind; of a deep one, a few layers, which hold all there is to it."""
    if name == "densenet121":
        return DenseNet((2, 2), BackboneOptions(**options))
    if name.startswith("resnet50"):
        block = _GhostBottleneck if name.endswith("ghost") else _Bottleneck
        return ResNet((2, 1, 1, 1), BackboneOptions(**options), block=block, expansion=EXPANSION)
    return build_backbone(name, **options)


def _trained(name: str) -> nn.Module:
    """A backbone with 1000 outputs whose every number is unlike the first weights and statistics of another one."""
    backbone = _small(name, outputs=1000)
    for value in backbone.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.1)
    return backbone


def test_every_backbone_is_looked_at_here() -> None:
    assert set(BACKBONES) == {*PARAMETERS, *OWN_PARAMETERS}


@pytest.mark.parametrize(("name", "number"), sorted((PARAMETERS | OWN_PARAMETERS).items()))
def test_has_the_published_number_of_parameters(name: str, number: int) -> None:
    with torch.device("meta"):  # no weights are drawn
        assert sum(p.numel() for p in build_backbone(name, outputs=1000).parameters()) == number


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_parameters_have_torchvisions_names_shapes_and_order(name: str) -> None:
    with torch.device("meta"):
        state = build_backbone(name, outputs=1000).state_dict()
    assert {key: tuple(state[key].shape) for key in SHAPES[name]} == SHAPES[name]
    assert [key for key in state if key in SHAPES[name]] == list(SHAPES[name])
    entries, first, last = ORDER[name]
    names = list(state)
    assert (len(names), names[:2], names[-1]) == (entries, first, last)


def test_normalisation_is_that_of_each_paper() -> None:
    def settings(name: str) -> set[tuple[float, float | None]]:
        layers = build_backbone(name, outputs=1).modules()
        return {(layer.eps, layer.momentum) for layer in layers if isinstance(layer, nn.BatchNorm2d)}

    assert settings("mobilenet_v3_small") == {(0.001, 0.01)}
    assert settings("mobilenet_v2") == settings("resnet18") == {(1e-5, 0.1)}


def test_first_weights_are_hes_and_the_mobilenets_last_layers_are_small() -> None:
    mobile, residual = (build_backbone(name, outputs=1000) for name in ("mobilenet_v3_small", "resnet18"))
    he = (2 / (576 * 1 * 1)) ** 0.5  # sqrt(2 / (outputs * height * width)): fan out
    assert mobile.get_parameter("features.12.0.weight").std().item() == pytest.approx(he, rel=0.03)
    assert residual.get_parameter("conv1.weight").std().item() == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.05)
    assert mobile.get_parameter("classifier.3.weight").std().item() == pytest.approx(0.01, rel=0.01)
    assert not mobile.get_parameter("features.1.block.1.fc1.bias").any()
    assert not mobile.get_parameter("classifier.3.bias").any()


@pytest.mark.parametrize("name", [*FAMILIES, *OWN])
def test_gradients_reach_every_parameter(name: str) -> None:
    # Two outputs: one alone would leave the columns of the last layer whose inputs vanish.
    backbone = _small(name, outputs=2, channels=4, dropout=0.0)
    backbone(_images(8, channels=4)).square().sum().backward()
    dead = [key for key, p in backbone.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []
    assert all(bool(torch.isfinite(p.grad).all()) for p in backbone.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", [*FAMILIES, *OWN])
@pytest.mark.parametrize("size", [(32, 32), (47, 33), (160, 96)])
def test_images_of_any_size_become_one_row_each(name: str, size: tuple[int, int]) -> None:
    backbone = _small(name, outputs=5, channels=1).eval()
    with torch.no_grad():
        assert backbone(torch.rand(3, 1, *size)).shape == (3, 5)


@pytest.mark.parametrize("name", [*FAMILIES, *OWN])
def test_evaluation_is_repeatable_and_an_image_does_not_depend_on_its_neighbours(name: str) -> None:
    backbone = _trained(name).eval()
    images = _images(4)
    with torch.no_grad():
        together = backbone(images)
        assert torch.equal(backbone(images), together)
        torch.testing.assert_close(backbone(images[2:3]), together[2:3], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [*FAMILIES, *OWN])
def test_layout_of_memory_does_not_change_the_answer(name: str) -> None:
    backbone = _small(name, outputs=3).eval()
    images = _images()
    with torch.no_grad():
        rows = backbone(images)
        channels_last = backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        torch.testing.assert_close(channels_last(images.contiguous(memory_format=torch.channels_last)), rows)


@pytest.mark.parametrize("name", FAMILIES)
def test_dropout_acts_in_training_only_and_can_be_switched_off(name: str) -> None:
    images = _images(8)
    dropping = _small(name, outputs=3, dropout=0.5)
    assert not torch.equal(dropping(images), dropping(images))
    keeping = _small(name, outputs=3, dropout=0.0)
    assert torch.equal(keeping(images), keeping(images))


@pytest.mark.parametrize("name", [SMALL, "shufflenet_v2_x1_0", "mobilenet_v3_small_ghost", "mobilenet_v3_small_fft"])
def test_a_field_of_672_px_and_a_patch_of_64_are_read_by_the_same_network(name: str) -> None:
    backbone = build_backbone(name, outputs=3).eval()
    with torch.no_grad():
        assert all(bool(torch.isfinite(backbone(_images(1, size=size))).all()) for size in (64, 672))


def _exported(name: str) -> nn.Module:
    """A whole network, or the part of one that no other has; ``benchmarks/backbones.py`` exports all of each."""
    parts: dict[str, Callable[[], nn.Module]] = {
        "densenet121": lambda: _small("densenet121", outputs=3),
        "ghost module": lambda: GhostModule(3, 15, 3, stride=2, activation=nn.ReLU),
        "shuffled units": lambda: nn.Sequential(nn.Conv2d(3, 24, 1), _stage(24, 116, 2)),
        "spectrum": lambda: build_backbone("mobilenet_v3_small_fft", outputs=3).get_submodule("spectrum"),
    }
    return parts[name]() if name in parts else build_backbone(name, outputs=3)


@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec:FutureWarning")  # of torch to itself
@pytest.mark.parametrize(
    "name", [SMALL, "resnet18", "densenet121", "ghost module", "shuffled units", "spectrum"]
)  # MobileNetV2 adds ReLU6 only, ResNet-50 nothing
def test_exported_graph_answers_as_the_network(name: str, tmp_path: Path) -> None:
    backbone = _exported(name).eval()
    path = tmp_path / "backbone.onnx"
    batch = {0: torch.export.Dim("N")}
    torch.onnx.export(
        backbone, (_images(),), path, input_names=["patches"], dynamo=True, dynamic_shapes=(batch,), verbose=False
    )
    images = _images(5)
    [rows] = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
        None, {"patches": images.numpy()}
    )
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(rows), backbone(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "shufflenet_v2_x1_0", *OWN])
def test_a_few_steps_bring_the_loss_down(name: str) -> None:
    backbone = _small(name, outputs=2, channels=1, dropout=0.0)
    optimiser = torch.optim.AdamW(backbone.parameters(), lr=1e-4)
    images, wanted = _images(8, channels=1), torch.rand(8, 2)
    losses = []
    for _ in range(4):
        loss = nn.functional.mse_loss(backbone(images), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[1:]) < losses[0]


def test_the_power_spectrum_is_that_of_a_fourier_transform_of_overlapping_tiles() -> None:
    image = np.random.default_rng(5).random((2, 3, 48, 64)).astype(np.float32)
    found = PowerSpectrum()(torch.from_numpy(image)).numpy().reshape(2, 3, TILE // 2 + 1, TILE)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(TILE) + 0.5) / TILE)
    window /= np.sqrt(np.square(window).sum())
    corners = [(y, x) for y in range(0, 48 - TILE + 1, TILE // 2) for x in range(0, 64 - TILE + 1, TILE // 2)]
    tiles = np.stack([image[..., y : y + TILE, x : x + TILE] for y, x in corners])
    power = np.square(np.abs(np.fft.fft2(tiles * np.outer(window, window)))).mean(0)
    wanted = np.log(power[..., : TILE // 2 + 1] + 1e-4).swapaxes(-1, -2)  # along rows first, then along columns
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=2e-3)


def test_white_noise_of_unit_variance_has_power_one() -> None:
    noise = torch.randn(4, 1, 256, 256)
    assert PowerSpectrum()(noise).exp().mean().item() == pytest.approx(1.0, abs=0.02)


def test_a_ghost_module_computes_half_and_filters_the_other_half_from_it() -> None:
    module = GhostModule(8, 15, 3, stride=2, activation=nn.ReLU).eval()
    images = _images(2, channels=8, size=17)
    features = module(images)
    assert features.shape == (2, 15, 9, 9)
    torch.testing.assert_close(features[:, :8], module.primary(images))
    torch.testing.assert_close(features[:, 8:], module.cheap(features[:, :8])[:, :7])
    assert module.cheap[0].groups == 8


def test_the_spectral_network_starts_from_the_plain_ones_weights_and_keeps_its_branch(tmp_path: Path) -> None:
    source = _trained(SMALL)
    target = build_backbone("mobilenet_v3_small_fft", outputs=3)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    load_imagenet_weights(target, _saved(source, tmp_path / "weights.safetensors"))
    after, given = target.state_dict(), source.state_dict()
    filled = {key for key in given if "classifier.3" not in key}
    assert all(torch.equal(after[key], given[key]) for key in filled)
    assert all(torch.equal(after[key], before[key]) for key in after if key not in filled)


@given(st.floats(1, 2000))
def test_channels_are_rounded_to_eights_and_hardly_down(channels: float) -> None:
    rounded = round_channels(channels)
    assert rounded % 8 == 0
    assert rounded >= max(8, 0.9 * channels)
    assert rounded <= channels + 8


@pytest.mark.parametrize(("channels", "rounded"), [(3, 8), (12, 16), (11.2, 16), (44.8, 48), (33.6, 32), (36, 40)])
def test_rounding_of_channels_by_hand(channels: float, rounded: int) -> None:
    assert round_channels(channels) == rounded


def test_width_narrows_every_layer_but_mobilenet_v2s_last() -> None:
    half = build_backbone("mobilenet_v2", outputs=3, width=0.5).state_dict()
    assert half["features.0.0.weight"].shape == (16, 3, 3, 3)
    assert half["features.2.conv.2.weight"].shape[0] == 16  # 24 / 2 = 12, rounded
    assert half["features.18.0.weight"].shape == (1280, 160, 1, 1)
    wide = build_backbone("mobilenet_v2", outputs=3, width=1.4).state_dict()
    assert wide["features.18.0.weight"].shape == (1792, 448, 1, 1)
    narrow = build_backbone("mobilenet_v3_small", outputs=3, width=0.5).state_dict()
    assert narrow["features.12.0.weight"].shape == (288, 48, 1, 1)
    assert narrow["classifier.0.weight"].shape == (512, 288)


@pytest.mark.parametrize("name", FAMILIES)
def test_imagenet_weights_fill_all_but_the_last_layer(name: str, tmp_path: Path) -> None:
    source = _trained(name)
    path = _saved(source, tmp_path / "weights.safetensors")
    target = _small(name, outputs=3)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    load_imagenet_weights(target, path)
    after, given = target.state_dict(), source.state_dict()
    last = {key for key in after if after[key].shape != given[key].shape}
    assert len(last) == 2  # weight and bias
    filled = {key for key in after if torch.equal(after[key], given[key])}
    assert filled == set(after) - last
    assert all(torch.equal(after[key], before[key]) for key in last)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_grey_image_answers_alike_in_any_number_of_channels(channels: int, tmp_path: Path) -> None:
    source = build_backbone(SMALL, outputs=1000)
    path = _saved(source, tmp_path / "weights.safetensors")
    target = build_backbone(SMALL, outputs=3, channels=channels)
    load_imagenet_weights(target, path)
    target.get_submodule("classifier")[3] = source.get_submodule("classifier")[3]  # type: ignore[index, operator]
    grey = _images(channels=1)
    with torch.no_grad():
        expected = source.eval()(grey.expand(-1, 3, -1, -1))
        torch.testing.assert_close(target.eval()(grey.expand(-1, channels, -1, -1)), expected, rtol=1e-4, atol=1e-5)


def test_files_without_counters_or_without_a_last_layer_load(tmp_path: Path) -> None:
    state = _trained(SMALL).state_dict()
    kept = {key: value for key, value in state.items() if "num_batches" not in key and "classifier.3" not in key}
    save_file(kept, tmp_path / "weights.safetensors")
    target = build_backbone(SMALL, outputs=3)
    load_imagenet_weights(target, tmp_path / "weights.safetensors")
    assert torch.equal(target.state_dict()["classifier.0.weight"], state["classifier.0.weight"])


def _refusal(backbone: nn.Module, path: Path) -> str:
    """The message with which weights are refused; the backbone stays as it was."""
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load_imagenet_weights(backbone, path)
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())
    return str(caught.value)


def test_weights_of_another_network_are_refused_with_both_lists_of_names(tmp_path: Path) -> None:
    path = _saved(build_backbone("resnet18", outputs=10), tmp_path / "weights.safetensors")
    message = _refusal(build_backbone(SMALL, outputs=3), path)
    assert "lacks features.0.0.weight, features.0.1.weight, features.0.1.bias and" in message
    assert "has the unknown bn1.bias, bn1." in message


def test_weights_that_lack_one_name_are_refused(tmp_path: Path) -> None:
    state = build_backbone(SMALL, outputs=3).state_dict()
    del state["features.0.0.weight"]
    save_file(state, tmp_path / "weights.safetensors")
    message = _refusal(build_backbone(SMALL, outputs=3), tmp_path / "weights.safetensors")
    assert "lacks features.0.0.weight;" in message
    assert "unknown" not in message


def test_weights_of_another_width_are_refused_with_both_shapes(tmp_path: Path) -> None:
    path = _saved(build_backbone(SMALL, outputs=3, width=0.5), tmp_path / "weights.safetensors")
    message = _refusal(build_backbone(SMALL, outputs=3), path)
    assert "features.0.0.weight (8, 3, 3, 3) instead of (16, 3, 3, 3)" in message


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    source = build_backbone(SMALL, outputs=3)
    source.state_dict()["features.12.1.bias"][5] = torch.nan
    message = _refusal(build_backbone(SMALL, outputs=3), _saved(source, tmp_path / "weights.safetensors"))
    assert "not finite, in features.12.1.bias" in message


def test_a_pickled_file_is_not_opened_and_the_way_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet_v3_small.pth"
    path.write_bytes(b"\x80\x04.")
    message = _refusal(build_backbone(SMALL, outputs=3), path)
    assert "safetensors.torch.save_file(torchvision.models.mobilenet_v3_small(" in message


@pytest.mark.parametrize("content", [None, b"", b"no tensors in here at all"])
def test_files_that_cannot_be_read_are_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert "cannot be read" in _refusal(build_backbone(SMALL, outputs=3), path)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"no backbone 'vgg'; choose one of densenet121, .*mobilenet_v3_small.*resnet18"
    ):
        build_backbone("vgg", outputs=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": 0}, "at least one channel and one output, not 3 and 0"),
        ({"outputs": 1, "channels": 0}, "at least one channel and one output, not 0 and 1"),
        ({"outputs": 1, "dropout": 1.0}, "less than 1, not 1.0"),
        ({"outputs": 1, "dropout": float("nan")}, "not nan"),
        ({"outputs": 1, "width": 0.0}, "positive factor such as 0.5, not 0.0"),
        ({"outputs": 1, "width": float("inf")}, "not inf"),
        ({"outputs": 1, "width": 0.5, "name": "resnet18"}, "a ResNet has one width, 1, not 0.5"),
        ({"outputs": 1, "width": 0.5, "name": "densenet121"}, "a DenseNet has one width, 1, not 0.5"),
        ({"outputs": 1, "width": 2.0, "name": "shufflenet_v2_x1_0"}, "a ShuffleNet has one width, 1, not 2.0"),
    ],
)
def test_options_outside_their_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_backbone(**options)  # type: ignore[arg-type]


def test_the_narrow_end_halves_a_narrow_network() -> None:
    """101 outputs at width 0.4: what two shots are told by on light hardware."""
    usual, narrow = (
        sum(p.numel() for p in build_backbone(name, outputs=101, width=0.4).parameters())
        for name in ("mobilenet_v2", "mobilenet_v2_narrow")
    )
    assert narrow < 500_000 < usual


def test_another_backbone_is_one_registered_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_autofocus.models.backbones.registry.BACKBONES", {})
    register("mean")(lambda options: nn.Linear(options.channels, options.outputs))
    assert build_backbone("mean", outputs=2, channels=4)(torch.zeros(1, 4)).shape == (1, 2)
    with pytest.raises(ValueError, match="already"):
        register("mean")(lambda options: nn.Identity())
