"""Teaching a model of one's own, of one shot or of two, with some stacks watched and not learned from."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from napari_autofocus.models.dataset import Dataset
from napari_autofocus.models.labelled_stacks import LabelledStack
from napari_autofocus.models.networks import rescaled
from napari_autofocus.models.pair.teaching import teach_pairs
from napari_autofocus.models.tasks import Holding
from napari_autofocus.models.teaching import StageProgress, Taught, networks_of, teach
from napari_autofocus.workflows.own_plan import OwnPlan

MOST_WATCHED = 768


def teach_own(
    own: OwnPlan, data: Dataset, work: Path, watched: Sequence[LabelledStack]
) -> Generator[StageProgress, None, Taught]:
    """Teach the networks that were planned.

    Parameters
    ----------
    own : OwnPlan
        What and how.
    data : Dataset
        Patches of all stacks, each named by its path; pairs of them for a model of two shots.
    work : Path
        Folder of the checkpoints.
    watched : sequence of LabelledStack
        Held back.
    """
    holding = Holding(most=MOST_WATCHED, slides=tuple(str(stack.path) for stack in watched))
    if own.dz_um is None or own.base is None:
        return (
            yield from teach(
                own.plan,
                data,
                work,
                dof_um=own.dof_um,
                base=own.base,
                keep_importance=own.keeps_importance,
                holding=holding,
            )
        )
    judging, looking = networks_of(own.base)
    return (
        yield from teach_pairs(
            own.plan,
            data,
            work,
            dof_um=own.dof_um,
            importance=looking,
            defocus=rescaled(judging, own.plan.defocus),
            holding=holding,
        )
    )
