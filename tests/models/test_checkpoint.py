"""Checkpoints: everything that a run needs to go on exactly, in a file that is whole or the one before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from napari_autofocus.errors import InputError
from napari_autofocus.models.learning import checkpoint
from napari_autofocus.models.learning.checkpoint import load_checkpoint, save_checkpoint

STATE = {"step": 3, "loss": 0.25, "history": [{"score": 1.5}]}
_Learning = tuple[nn.Module, nn.Module, torch.optim.Optimizer]


def _learning(steps: int = 3, width: int = 4) -> _Learning:
    """A network that was taught a little, channels last as in training; its average; its optimiser."""
    torch.manual_seed(steps)
    first = nn.Conv2d(3, width, 3)
    network = nn.Sequential(first, nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(width * 4, 1))
    first.weight.data = first.weight.data.contiguous(memory_format=torch.channels_last)
    average = AveragedModel(network, use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    for _ in range(steps):
        optimiser.zero_grad()
        network(torch.randn(8, 3, 4, 4)).square().mean().backward()
        optimiser.step()
        average.update_parameters(network)
    return network, average, optimiser


def _all_of(learning: _Learning) -> dict[str, torch.Tensor]:
    network, average, optimiser = learning
    memory = {
        f"{number}.{name}": value
        for number, entry in optimiser.state_dict()["state"].items()
        for name, value in entry.items()
    }
    return {**network.state_dict(), **average.state_dict(), **memory}


def test_what_was_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    before, after = _learning(), _learning(steps=1)
    save_checkpoint(tmp_path / "a.safetensors", *before, STATE)
    assert load_checkpoint(tmp_path / "a.safetensors", *after) == STATE
    saved, loaded = _all_of(before), _all_of(after)
    assert saved.keys() == loaded.keys()
    assert [name for name in saved if not torch.equal(saved[name], loaded[name])] == []


def test_a_network_that_was_never_taught_can_be_filled(tmp_path: Path) -> None:
    before, after = _learning(), _learning(steps=0)
    save_checkpoint(tmp_path / "a.safetensors", *before, STATE)
    load_checkpoint(tmp_path / "a.safetensors", *after)
    assert len(_all_of(after)) == len(_all_of(before))


def test_the_layout_in_memory_comes_back(tmp_path: Path) -> None:
    """Other layouts add up in another order, and a resume would not be exact."""
    after = _learning(steps=0)
    save_checkpoint(tmp_path / "a.safetensors", *_learning(), STATE)
    load_checkpoint(tmp_path / "a.safetensors", *after)
    network, _, optimiser = after
    weight = next(network.parameters())
    for value in (weight, optimiser.state[weight]["exp_avg"], optimiser.state[weight]["exp_avg_sq"]):
        assert value.is_contiguous(memory_format=torch.channels_last)


def test_the_number_of_steps_lies_beside_its_parameter(tmp_path: Path) -> None:
    """Fused optimisers want it on the parameter's device; the meta device stands for a GPU here."""
    network, average, optimiser = _learning()
    save_checkpoint(tmp_path / "a.safetensors", network, average, optimiser, STATE)
    elsewhere = nn.Linear(2, 1, device="meta")
    other = torch.optim.AdamW(elsewhere.parameters())
    tensors = {"optimiser.0.step": torch.ones(()), "optimiser.0.exp_avg": torch.ones(1, 2)}
    checkpoint._remember(other, tensors | {"optimiser.0.exp_avg_sq": torch.ones(1, 2)})
    assert {value.device.type for value in other.state[elsewhere.weight].values()} == {"meta"}


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "new" / "deeper" / "a.safetensors", *_learning(), STATE)
    assert (tmp_path / "new" / "deeper" / "a.safetensors").is_file()


def test_a_checkpoint_that_could_not_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, *_learning(), STATE)
    content = path.read_bytes()

    def broken(target: Path, content: bytes) -> None:
        with target.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "write_bytes", broken)
    with pytest.raises(InputError, match=r"cannot be written \(Input/output error\)"):
        save_checkpoint(path, *_learning(steps=2), STATE)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_checkpoint_is_plain_safetensors(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.safetensors", *_learning(), STATE)
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["state"]) == STATE
        assert {name.partition(".")[0] for name in file.keys()} == {"network", "average", "optimiser"}  # noqa: SIM118


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 200])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.safetensors is no checkpoint .* delete it to begin anew"):
        load_checkpoint(path, *_learning())


@pytest.mark.parametrize("metadata", [None, {"other": "1"}, {"state": "{"}])
def test_tensors_without_a_readable_state_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"network.0.weight": torch.zeros(1)}, tmp_path / "a.safetensors", metadata=metadata)
    with pytest.raises(InputError, match="is no checkpoint that can be read"):
        load_checkpoint(tmp_path / "a.safetensors", *_learning())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_checkpoint_that_was_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, *_learning(), STATE)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="is no checkpoint that can be read"):
        load_checkpoint(path, *_learning())


def test_the_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.safetensors", *_learning(width=5), STATE)
    with pytest.raises(InputError, match="checkpoint of another network; delete it, or choose another file"):
        load_checkpoint(tmp_path / "a.safetensors", *_learning(width=4))


def test_a_memory_of_other_shapes_is_refused(tmp_path: Path) -> None:
    """The network fits, the optimiser does not."""
    network, average, _ = _learning()
    _, _, other = _learning(width=5)
    save_checkpoint(tmp_path / "a.safetensors", network, average, other, STATE)
    with pytest.raises(InputError, match="checkpoint of another network"):
        load_checkpoint(tmp_path / "a.safetensors", *_learning())
