"""The package of a virtual refocuser: whole, ours, of its kind, and the same every time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_autofocus.errors import InputError
from napari_autofocus.models.networks import load_refocus_network
from napari_autofocus.models.package.archive import write_archive
from napari_autofocus.models.package.members import REFOCUS_GRAPH, REFOCUS_WEIGHTS, TEST_OUTPUT
from napari_autofocus.models.package.proof import prove
from napari_autofocus.models.package.reading import open_any_package, open_package, open_virtual_package
from napari_autofocus.models.package.virtual_card import VirtualCard
from napari_autofocus.models.refocuser import VirtualRefocuser
from tiny_models import members_of, tiny_file
from tiny_refocusers import tiny_network, tiny_refocuser_file, tiny_virtual_card


def test_card_and_network_come_back(tmp_path: Path) -> None:
    package = open_virtual_package(tiny_refocuser_file(tmp_path))
    assert package.card == tiny_virtual_card(tiny_network())
    assert load_refocus_network(package).settings == tiny_network().settings
    assert open_any_package(package.path).fingerprint == package.fingerprint


def test_graph_and_weights_are_one_network(tmp_path: Path) -> None:
    package = open_virtual_package(tiny_refocuser_file(tmp_path))
    shots = np.random.default_rng(0).random((6, 48, 80), np.float32)
    with torch.inference_mode():
        expected = load_refocus_network(package).eval()(torch.from_numpy(shots[None]))[0].numpy()
    assert np.abs(VirtualRefocuser(package).refocus_tile(shots) - expected).max() < 1e-4


def test_kinds_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recovers the image in focus"):
        open_package(tiny_refocuser_file(tmp_path))
    with pytest.raises(InputError, match="tells defocus from one shot"):
        open_virtual_package(tiny_file(tmp_path))


@pytest.mark.parametrize("name", [REFOCUS_GRAPH, REFOCUS_WEIGHTS])
def test_changed_members_are_refused(tmp_path: Path, name: str) -> None:
    members = members_of(tiny_refocuser_file(tmp_path).read_bytes())
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])
    write_archive(tmp_path / "changed.zip", members)
    with pytest.raises(InputError, match=name):
        open_virtual_package(tmp_path / "changed.zip")


def test_a_graph_that_is_off_by_a_grey_level_is_refused(tmp_path: Path) -> None:
    path = tiny_refocuser_file(tmp_path)
    package, members = open_virtual_package(path), members_of(path.read_bytes())
    stated = io.BytesIO()
    np.save(stated, np.load(io.BytesIO(members[TEST_OUTPUT])) + np.float32(1 / 255))
    with pytest.raises(InputError, match=r"differently from when it was written \(by 0\.00392, allowed 0\.001\)"):
        prove(path, package.card, members | {TEST_OUTPUT: stated.getvalue()})


def test_a_missing_member_is_refused(tmp_path: Path) -> None:
    members = members_of(tiny_refocuser_file(tmp_path).read_bytes())
    del members[REFOCUS_WEIGHTS]
    write_archive(tmp_path / "changed.zip", members)
    with pytest.raises(InputError, match="lacks"):
        open_virtual_package(tmp_path / "changed.zip")


@pytest.mark.parametrize(
    "change", [{"half_um": [3.0, 1.0]}, {"dof_um": 0.0}, {"stride_px": 0}, {"kind": "two-shot"}, {"more": 1}]
)
def test_impossible_cards_are_refused(change: dict[str, object]) -> None:
    values = tiny_virtual_card(tiny_network()).to_dict()
    with pytest.raises(InputError, match="card is wrong"):
        VirtualCard.from_dict({**values, **change})
