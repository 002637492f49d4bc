"""What both stages learn together, and what their validation says of fields as they would be read in use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_fields import weights
from made_fields_whole import plane_of, whole_fields
from torch import Tensor, nn
from toys import assert_same, finish

from napari_autofocus.errors import InputError
from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings
from napari_autofocus.models.disturbed.disturbances import Disturbances
from napari_autofocus.models.field.network import FieldNetwork, SoftChoice
from napari_autofocus.models.field.samples import ShownFields
from napari_autofocus.models.field.task import FieldErrors, FieldTask
from napari_autofocus.models.field_dataset import FieldDataset
from napari_autofocus.models.field_teaching import TogetherPlan, teach_together
from napari_autofocus.models.importance import ImportanceNetwork, ImportanceSettings
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.training import Trained, TrainingSettings

LOOKING = ImportanceSettings(reduction=8, patch_px=32, stride_px=16, widths=(4,))
JUDGING = DefocusSettings(width=0.25, dropout=0.0)
FEW = ShownFields(patches=4)


@pytest.fixture
def data(tmp_path: Path) -> FieldDataset:
    return whole_fields(tmp_path / "data")


def _network(**choice: Any) -> FieldNetwork:
    torch.manual_seed(1)
    looking, judging = ImportanceNetwork(LOOKING), DefocusNetwork(JUDGING)
    return FieldNetwork(looking, judging, dof_um=1.0, choice=SoftChoice(**choice))


def _task(data: FieldDataset, network: FieldNetwork | None = None, **changes: Any) -> FieldTask:
    return FieldTask(network or _network(), data, **{"dof_um": 1.0, "range_um": 10.0, "shown": FEW, **changes})


class TrueImportance(nn.Module):
    """Says content where the overview varies."""

    settings = LOOKING

    def forward(self, overviews: Tensor) -> Tensor:
        wide = overviews.mean(dim=1, keepdim=True).unfold(2, 4, 2).unfold(3, 4, 2)
        return ((wide.std(dim=(-2, -1)) - 0.005) * 200).sigmoid()


class Constant(nn.Module):
    """Says the same of each patch."""

    settings = JUDGING

    def __init__(self, defocus_um: float) -> None:
        super().__init__()
        self.defocus_um = nn.Parameter(torch.tensor(defocus_um))

    def forward(self, patches: Tensor) -> Tensor:
        row = torch.stack([self.defocus_um, torch.tensor(0.1), torch.tensor(0.9)])
        return row.repeat(patches.shape[0], 1)


def _saying(defocus_um: float, importance: nn.Module | None = None) -> FieldNetwork:
    network = _network()
    network.importance = importance or TrueImportance()  # type: ignore[assignment]
    network.defocus = Constant(defocus_um)  # type: ignore[assignment]
    return network


# --- Batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_follows_from_its_number(data: FieldDataset) -> None:
    task = _task(data)
    one, same, other = task.batch(3, 4), task.batch(3, 4), task.batch(4, 4)
    assert all(torch.equal(torch.nan_to_num(one[name]), torch.nan_to_num(same[name])) for name in one)
    assert not torch.equal(one["patches"], other["patches"])


def test_the_shares_of_several_processes_make_up_the_batch(data: FieldDataset) -> None:
    task = _task(data)
    whole = task.batch(1, 4)
    parts = [task.batch(1, 4, part) for part in (slice(0, 2), slice(2, 4))]
    assert torch.equal(whole["patches"], torch.cat([part["patches"] for part in parts]))


def test_slides_that_are_held_back_are_not_learned_from(data: FieldDataset) -> None:
    task = _task(data)
    assert set(task.training) == {0, 1}
    assert set(task.validation) == {2, 3}


@pytest.mark.parametrize(("sparse", "most"), [(0.0, 3), (1.0, 1)])
def test_so_many_fields_are_shown_with_few_patches_left(data: FieldDataset, sparse: float, most: int) -> None:
    task = _task(data, shown=ShownFields(patches=4, sparse=sparse, most_left=1))
    content = (task.batch(0, 8)["importance"] > 0.5).sum(dim=(1, 2))
    assert content.max() == most


# --- Loss -------------------------------------------------------------------------------------------------------------


def test_the_error_of_a_field_moves_the_importance_of_its_patches(data: FieldDataset) -> None:
    network = _network().train()
    task = _task(data, network, errors=FieldErrors(field=1, importance=0))
    task.loss(network, task.batch(0, 4)).backward()
    assert sum(float(p.grad.abs().sum()) for p in network.importance.parameters() if p.grad is not None) > 0


def test_without_it_each_stage_learns_by_itself(data: FieldDataset) -> None:
    network = _network().train()
    task = _task(data, network, errors=FieldErrors(field=0, importance=0))
    task.loss(network, task.batch(0, 4)).backward()
    assert sum(float(p.grad.abs().sum()) for p in network.importance.parameters() if p.grad is not None) == 0
    assert sum(float(p.grad.abs().sum()) for p in network.defocus.parameters() if p.grad is not None) > 0


def test_even_optics_tell_no_side(tmp_path: Path) -> None:
    task = _task(whole_fields(tmp_path, signed=False))
    batch = task.batch(0, 4)
    found = task.network(batch["overviews"], batch["patches"], batch["places"], batch["offered"])
    assert float(task._fields(found, batch).detach()) == 0


def test_empty_fields_teach_the_importance_only(tmp_path: Path) -> None:
    network = _network().train()
    task = _task(whole_fields(tmp_path, content=()), network)
    loss = task.loss(network, task.batch(0, 4))
    loss.backward()
    assert 0 < float(loss.detach()) < 5
    assert sum(float(p.grad.abs().sum()) for p in network.defocus.parameters() if p.grad is not None) == 0


def test_a_tilt_is_no_error(data: FieldDataset) -> None:
    """Patches that are right, each about itself, make a right field."""
    task = _task(data)
    batch = dict(task.batch(0, 4))
    batch["defocus_um"] = torch.linspace(-3, 3, batch["defocus_um"].numel()).reshape(batch["defocus_um"].shape)
    found = task.network(batch["overviews"], batch["patches"], batch["places"], batch["offered"])
    assert float(task._fields(found._replace(defocus_um=batch["defocus_um"]), batch).detach()) == 0


# --- Validation -------------------------------------------------------------------------------------------------------


def test_a_field_is_answered_as_in_use(data: FieldDataset) -> None:
    with torch.inference_mode():
        assert _task(data).answer(_saying(2.5), plane_of()) == pytest.approx(2.5)


def test_figures_tell_whole_fields_from_those_with_few_patches_left(data: FieldDataset) -> None:
    task = _task(data)
    with torch.inference_mode():
        found = task.validate(_saying(1.0))
    truth = found.pairs.true_um if found.pairs is not None and hasattr(found.pairs, "true_um") else np.empty(0)
    assert set(found.figures) == {"score", "whole_um", "few_left_um", "unread", "direction"}
    assert found.figures["score"] == pytest.approx(np.abs(1 - truth).mean(), rel=1e-5)
    assert found.figures["unread"] == 0
    assert truth.size == 4


def test_a_field_of_which_nothing_is_read_counts_with_all_of_its_defocus(data: FieldDataset) -> None:
    class Blind(TrueImportance):
        def forward(self, overviews: Tensor) -> Tensor:
            return super().forward(overviews) * 0

    with torch.inference_mode():
        figures = _task(data).validate(_saying(1.0, Blind())).figures
    assert figures["unread"] == 1
    assert figures["direction"] == 0


def test_fields_beyond_the_range_are_not_validated_on(tmp_path: Path) -> None:
    task = _task(whole_fields(tmp_path, planes_um=(2.0, 2.0, 2.0)), range_um=1.0)
    assert list(task._validated()) == []


# --- What does not fit ------------------------------------------------------------------------------------------------


def test_fields_of_one_slide_are_too_few(data: FieldDataset) -> None:
    with pytest.raises(InputError, match="too few"):
        _task(data, holding=Holding(slides=("nobody",)))


def test_networks_for_other_patches_are_refused(data: FieldDataset) -> None:
    other = FieldNetwork(ImportanceNetwork(), DefocusNetwork(JUDGING), dof_um=1.0)
    with pytest.raises(InputError, match="128 px"):
        _task(data, other)


def test_weights_of_the_loss_are_not_negative() -> None:
    with pytest.raises(InputError, match="not negative"):
        FieldErrors(field=-1)


# --- Teaching ---------------------------------------------------------------------------------------------------------

SHORT = TrainingSettings(samples=12, batch=4, validate_every=100, learning_rate=1e-3)


def _taught(data: FieldDataset, work: Path, plan: TogetherPlan) -> tuple[Trained, Trained]:
    work.mkdir(exist_ok=True)
    torch.manual_seed(1)
    defocus, importance = DefocusNetwork(JUDGING).eval(), ImportanceNetwork(LOOKING).eval()
    before = weights(defocus)
    steps = teach_together(plan, data, work, dof_um=1.0, range_um=10.0, defocus=defocus, importance=importance)
    _, found = finish(steps)
    assert_same(before, weights(defocus))
    return found


def test_both_stages_are_taught_from_copies_and_count_their_patches(data: FieldDataset, tmp_path: Path) -> None:
    plan = TogetherPlan(shown=FEW, training=SHORT)
    looking, judging = _taught(data, tmp_path, plan)
    assert (looking.samples, judging.samples) == (12, 48)
    assert isinstance(looking.network, ImportanceNetwork)
    assert isinstance(judging.network, DefocusNetwork)
    assert not judging.network.training
    assert judging.history[-1]["score"] > 0


def test_what_a_run_left_is_gone_on_from(data: FieldDataset, tmp_path: Path) -> None:
    noisy = ShownFields(patches=4, disturbances=Disturbances(noise=0.5))
    plan = TogetherPlan(shown=noisy, training=replace(SHORT, hold=1.0))
    whole = _taught(data, tmp_path / "whole", plan)
    _taught(data, tmp_path / "parts", replace(plan, training=replace(plan.training, samples=8)))
    parts = _taught(data, tmp_path / "parts", plan)
    for one, other in zip(whole, parts, strict=True):
        mine, its = one.network.state_dict(), other.network.state_dict()
        assert all(torch.equal(mine[name], its[name]) for name in mine)
