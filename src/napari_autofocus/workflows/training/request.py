"""A training that runs in a process of its own: what is asked for, and the folder in which it can be taken up again.

Knows no torch, so that a window can offer trainings without loading it. The folder ``NAME.training`` lies beside the
model it is to become; it goes when the model is written.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder, replacing
from napari_autofocus.workflows.training.steps import Learning, learning_from

_SUFFIX = ".training"
_REQUEST, _LOCK, _LOG, _WORK = "request.json", "lock", "steps.jsonl", "work"


@dataclass(frozen=True)
class TrainingRequest:
    """What is to be taught, in plain values; see ``OwnSettings`` for what they mean.

    Parameters
    ----------
    dataset, target : Path
        Folder of z-stacks, and the package to write.
    minutes : float
        Time to teach.
    base : str or None
        Name or file of the model to begin with.
    name : str or None
        Of the new model.
    range_um : float or None
        The model is to answer within ± this defocus, µm.
    folds : int
        Models of the cross-validation; 0 for none.
    objective : str or None
        As in 20x/0.75, in place of what the files say.
    pixel_um : float or None
        Size of a pixel in the sample, µm, in place of what the files say.
    device : str
        As torch names it.
    seed : int
        Decides which stacks are held out, and more.
    kind : str or None
        What to teach where there is no base.
    """

    dataset: Path
    target: Path
    minutes: float = 10.0
    base: str | None = None
    name: str | None = None
    range_um: float | None = None
    folds: int = 0
    objective: str | None = None
    pixel_um: float | None = None
    device: str = "cpu"
    seed: int = 0
    kind: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"dataset": str(self.dataset), "target": str(self.target)}

    @classmethod
    def from_json(cls, value: object) -> TrainingRequest:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        InputError
            If it is something else.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(value, dict) or not {"dataset", "target"} <= set(value) <= known:
            raise InputError(f"This is no training that was asked for: {str(value)[:80]!r}; begin it anew.")
        return cls(**value | {"dataset": Path(value["dataset"]), "target": Path(value["target"])})


@dataclass(frozen=True)
class TrainingFolder:
    """Where a training keeps what it has so far.

    Parameters
    ----------
    path : Path
        ``NAME.training``; it need not exist.
    """

    path: Path

    @classmethod
    def of(cls, target: Path) -> TrainingFolder:
        """The folder of the training that is to write this package."""
        return cls(target.with_name(target.stem + _SUFFIX))

    @property
    def work(self) -> Path:
        """Training data and checkpoints."""
        return self.path / _WORK

    @property
    def has_learned(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return any(self.work.rglob("*.safetensors"))

    @contextmanager
    def claimed(self, request: TrainingRequest) -> Iterator[None]:
        """Work in the folder alone; where nothing was learned and the work is refused, it goes again.

        Raises
        ------
        InputError
            If it cannot be made, or another process works in it.
        """
        make_folder(self.path)
        with self._locked(request.target):
            with replacing(self.path / _REQUEST) as unfinished:
                unfinished.write_text(json.dumps(request.to_json(), indent=1) + "\n", encoding="utf-8")
            try:
                yield
            except InputError:
                if not self.has_learned:
                    self.discard()
                raise

    @contextmanager
    def _locked(self, target: Path) -> Iterator[None]:
        try:
            lock = (self.path / _LOCK).open("a")
        except OSError as error:
            raise InputError(f"{self.path} cannot be written ({error.strerror}); choose another folder.") from error
        with lock:
            if not _lock(lock):
                raise InputError(f"{target.name} is being trained already; wait for that, or choose another name.")
            yield

    @property
    def is_busy(self) -> bool:
        """Whether a process works in it."""
        try:
            with (self.path / _LOCK).open("r+") as lock:
                return not _lock(lock)
        except FileNotFoundError:
            return False
        except OSError:  # of somebody else's, or going just now
            return True

    def request(self) -> TrainingRequest:
        """What was asked for. Raises InputError where that cannot be read."""
        try:
            return TrainingRequest.from_json(json.loads((self.path / _REQUEST).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path} holds no training that can be read ({error}); delete it.") from error

    def keep(self, step: Learning) -> None:
        """Remember a point of the learning curve. Raises InputError where that cannot be written."""
        try:
            with (self.path / _LOG).open("a", encoding="utf-8") as log:
                log.write(step.to_line() + "\n")
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written ({error.strerror}); make room there, and take the training up again."
            ) from error

    def past(self) -> list[Learning]:
        """The learning curve so far; a line that a power cut left unfinished does not count."""
        try:
            lines = (self.path / _LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        return [step for line in lines if (step := learning_from(line)) is not None]

    def discard(self) -> None:
        """Delete it with all that was learned. Raises InputError where that fails."""
        try:
            shutil.rmtree(self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise InputError(f"{self.path} cannot be deleted ({error.strerror}); delete it by hand.") from error


def unfinished_trainings(*places: Path) -> tuple[TrainingFolder, ...]:
    """Trainings in these folders that can be taken up again, the newest first; busy ones are left out."""
    found = {path for place in places for path in place.glob(f"*{_SUFFIX}") if (path / _REQUEST).is_file()}
    folders = [TrainingFolder(path) for path in sorted(found, key=_changed_s, reverse=True)]
    return tuple(folder for folder in folders if not folder.is_busy)


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # it is going just now
        return 0.0


def _lock(file: IO[str]) -> bool:
    """Lock a file until it is closed, or its process ends in whatever way; whether nobody else had it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
