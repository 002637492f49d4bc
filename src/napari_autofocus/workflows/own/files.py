"""Where a model of one's own is written, and the folder in which its training can be taken up again."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any
from zlib import crc32

from napari_autofocus.errors import InputError
from napari_autofocus.files import remove_unfinished, replacing
from napari_autofocus.models.labelled_stacks import LabelledStack
from napari_autofocus.models.package.members import DEFOCUS_WEIGHTS, sha256_of
from napari_autofocus.plain_json import read_plain_json
from napari_autofocus.workflows.own.stacks import patch_focus_um
from napari_autofocus.workflows.own_plan import OwnPlan

_PLAN = "plan.json"


def name_of(target: Path) -> str:
    """The file's name as a model's name."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", target.stem).strip("-._+")[:64] or "own-model"


def check_target(target: Path) -> None:
    """Refuse a file that could not be written, before hours of work."""
    if target.suffix != ".zip":
        raise InputError(f"A model is a zip file; name one, such as {target.with_suffix('.zip')}, instead of {target}.")
    if target.is_dir():
        raise InputError(f"{target} is a folder; name a file to write.")
    try:
        tempfile.TemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}); choose a folder that exists.") from error


def claim(work: Path, plan: dict[str, Any]) -> None:
    """Make the work folder this training's own; one that holds another's is refused.

    What may change between two calls is the time and how it is spent; what was learned from may not.

    Parameters
    ----------
    work : Path
        The folder.
    plan : dict
        What the training was begun with (:func:`facts_of`), in plain values.
    """
    record = work / _PLAN
    try:
        work.mkdir(parents=True, exist_ok=True)
        remove_unfinished(record)
        if not record.exists() and any(work.iterdir()):
            raise InputError(f"{work} is not empty and holds no training of ours; name another folder to work in.")
        before = read_plain_json(record.read_text(encoding="utf-8")) if record.exists() else None
    except (OSError, ValueError) as error:
        raise InputError(f"{work} cannot be used to work in ({error}); name another folder.") from error
    if before is None:
        with replacing(record) as unfinished:
            unfinished.write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
    elif before != plan:
        other = sorted(key for key in plan if not isinstance(before, dict) or before.get(key) != plan[key])
        raise InputError(
            f"{work} holds another training (other {', '.join(other) or 'facts'}); name another folder, or delete this"
            " one to begin anew."
        )


def facts_of(own: OwnPlan) -> dict[str, Any]:
    """What a training was begun with."""
    return {
        "base": sha256_of(own.base.members[DEFOCUS_WEIGHTS]) if own.base is not None else None,
        "optics": own.optics.model_dump(mode="json"),
        "range": own.range_um,
        "seed": own.settings.seed,
        "folds": len(own.split.folds),
        "stacks": {"learned from": listed(own.split.training), "watched": listed(own.split.watched)},
    }


def listed(stacks: tuple[LabelledStack, ...]) -> list[list[Any]]:
    """Stacks in plain values: file, best focus, and a fingerprint of that of the patches."""
    return [
        [str(stack.path.resolve()), float(stack.best_z_um), crc32(patch_focus_um(stack).tobytes())] for stack in stacks
    ]
