"""One function over many items: in this process, on the cores of this machine, or on a cluster of dask's.

Results come as they finish. What a worker that was killed had begun is done again by another; an item that kills every
worker it meets fails alone. Nothing here knows what is computed, nor keeps it; how workers are found is in
``spreading/cluster.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from napari_autofocus.errors import AutofocusError, InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

LITTLE_BYTES = 200e6
"""Work on less than this is done in this process unless told otherwise: starting workers would take longer."""
_BUNDLE_BYTES, _BUNDLE_ITEMS = 16e6, 16  # small items travel together: a task of its own costs some milliseconds
_SHARES = 8  # bundles for each worker at least, so that all end at about the same time
_LOOK_S, _TELL_S = 0.02, 0.2  # how often is looked for results, and told that there are none
_COUNT_S, _PATIENCE_S = 30.0, 300.0  # how often workers are counted while none answers, and how long none may be there


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Parameters
    ----------
    scheduler : str or None
        Address of a dask scheduler, such as ``tcp://head:8786``; None for this machine.
    count : int or None
        Worker processes on this machine, each with one thread; 0 works in this process. None: as many as there are
        cores, or none where there is little to do.
    """

    scheduler: str | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 0:
            raise InputError(f"The number of workers is at least 0; found {self.count}.")
        if self.scheduler is not None and self.count is not None:
            raise InputError(
                f"A scheduler ({self.scheduler}) has workers of its own, so their number ({self.count}) cannot be"
                " chosen here; give one of the two."
            )

    def here(self, weights: Sequence[float]) -> bool:
        """Whether items of these sizes, in bytes, are worked on in this process."""
        if self.scheduler is not None:
            return False
        little = self.count is None and sum(weights) < LITTLE_BYTES
        return self.count == 0 or len(weights) <= 1 or little


HERE = Workers(count=0)
"""Work in this process."""


@dataclass(frozen=True, eq=False)
class Finished(Generic[Result]):
    """Item ``number`` (from 0) is done."""

    number: int
    result: Result


@dataclass(frozen=True)
class Unfinished:
    """Item ``number`` (from 0) cannot be done; ``reason`` is a sentence."""

    number: int
    reason: str


@dataclass(frozen=True)
class Waiting:
    """Nothing new; a chance to cancel, by closing the generator."""


def spread(
    function: Callable[[Item], Result], items: Sequence[Item], weights: Sequence[float], workers: Workers = HERE
) -> Generator[Finished[Result] | Unfinished | Waiting, None, None]:
    """Call a function on every item, wherever there is room.

    Parameters
    ----------
    function : callable
        Found by name in a module that workers have too; without side effects that would harm if an item is done twice.
    items : sequence
        Small, for they travel: paths rather than images.
    weights : sequence of float
        Size of each item's files, bytes.
    workers : Workers
        Who works.

    Yields
    ------
    Finished, Unfinished or Waiting
        One of the former two for each item, in the order in which they finish. An item is unfinished if the function
        raises an AutofocusError or OSError, or if workers died of it. Closing the generator cancels the rest.

    Raises
    ------
    InputError
        If the scheduler cannot be reached or is lost, or its workers have another version of this package.
    """
    if workers.here(weights):
        for number, item in enumerate(items):
            yield _outcome(function, number, item)
        return
    from napari_autofocus.workflows.spreading.cluster import connected

    with connected(workers, len(items)) as cluster:
        bundles = list(_bundles(weights, cluster.threads))
        suspects: list[int] = []
        for step in _on_cluster(cluster.client, function, items, bundles):
            if isinstance(step, _Killed):
                suspects += step.numbers
            else:
                yield step
        # Whoever shared workers with an item that kills them is done alone now, and only the one to blame fails.
        for number in suspects:
            for step in _on_cluster(cluster.client, function, items, [[number]]):
                yield Unfinished(number, _KILLED) if isinstance(step, _Killed) else step


_KILLED = "Workers ended again and again when they came to it: it may need more memory than they have, or be damaged."


@dataclass(frozen=True)
class _Killed:
    """Workers died of a bundle, or of something beside it."""

    numbers: list[int]


def run_bundle(
    function: Callable[[Item], Result], bundle: list[tuple[int, Item]]
) -> list[Finished[Result] | Unfinished]:
    """What a worker does: some items, one after the other, each on one thread."""
    import cv2

    cv2.setNumThreads(1)
    return [_outcome(function, number, item) for number, item in bundle]


def _outcome(function: Callable[[Item], Result], number: int, item: Item) -> Finished[Result] | Unfinished:
    try:
        return Finished(number, function(item))
    except (AutofocusError, OSError) as error:
        return Unfinished(number, str(error))


def _bundles(weights: Sequence[float], threads: int) -> Iterator[list[int]]:
    """Numbers of the items that travel together: few enough that every worker gets several bundles."""
    most = max(1, min(_BUNDLE_ITEMS, len(weights) // (_SHARES * max(threads, 1))))
    bundle: list[int] = []
    heavy = 0.0
    for number, weight in enumerate(weights):
        if bundle and (len(bundle) >= most or heavy + weight > _BUNDLE_BYTES):
            yield bundle
            bundle, heavy = [], 0.0
        bundle.append(number)
        heavy += weight
    if bundle:
        yield bundle


def _on_cluster(
    client: Any, function: Callable[[Item], Result], items: Sequence[Item], bundles: list[list[int]]
) -> Generator[Finished[Result] | Unfinished | Waiting | _Killed, None, None]:
    from distributed import as_completed

    futures = [
        client.submit(run_bundle, function, [(number, items[number]) for number in bundle], pure=False)
        for bundle in bundles
    ]
    asked = dict(zip((future.key for future in futures), bundles, strict=True))
    arriving = as_completed(futures, loop=client.loop, with_results=True, raise_errors=False)
    patience, told = _Patience(client), time.monotonic()
    try:
        del futures  # each is forgotten, here and by its worker, as soon as its result is here
        while not arriving.is_empty():
            if not arriving.has_ready():
                time.sleep(_LOOK_S)
                patience.check()
                if time.monotonic() - told > _TELL_S:
                    told = time.monotonic()
                    yield Waiting()
                continue
            patience = _Patience(client)
            for future, outcome in arriving.next_batch(block=False):
                yield from _received(future, outcome, asked.pop(future.key))
    finally:
        arriving.clear()


class _Patience:
    """Waits for results as long as there are workers, and for workers as long as is reasonable."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._seen = self._counted = time.monotonic()

    def check(self) -> None:
        """Raise InputError if no worker has been there for minutes."""
        now = time.monotonic()
        if now - self._counted < _COUNT_S:
            return
        self._counted = now
        if self._client.nthreads():
            self._seen = now
        elif now - self._seen > _PATIENCE_S:
            raise InputError(
                f"No worker has been there for {_PATIENCE_S / 60:g} minutes; what was finished is kept: see to the"
                " workers, then give the same command."
            )


def _received(future: Any, outcome: Any, numbers: list[int]) -> Iterator[Finished[Any] | Unfinished | _Killed]:
    from distributed import KilledWorker

    if future.status == "finished":
        yield from outcome
    elif future.status != "error":
        raise InputError("The scheduler is gone; what was finished is kept: start it, then give the same command.")
    elif isinstance(outcome[1], KilledWorker):
        yield _Killed(numbers)
    else:
        raise outcome[1].with_traceback(outcome[2])
