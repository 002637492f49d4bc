"""Where dask's workers come from: processes of our own on this machine, or a cluster that somebody has started.

Workers of our own hold one task each and are started again if they die; they end with this process, even if that is
killed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from napari_autofocus import __version__
from napari_autofocus.errors import InputError
from napari_autofocus.workflows.spread import Workers

_DEATHS = 3  # of workers, after which what they were at is to blame
_ANSWER_S = 10  # how long a scheduler may take to answer
_SETTINGS = {
    "distributed.scheduler.worker-saturation": 1.0,  # a worker holds what it works on and no more: nobody else to blame
    "distributed.scheduler.allowed-failures": _DEATHS - 1,
    "distributed.deploy.lost-worker-timeout": "1 day",  # a worker that died is replaced, however long that takes
    "distributed.worker.memory.target": False,  # results are small: nothing to spill to the disk
    "distributed.worker.memory.spill": False,
}


@dataclass(frozen=True, eq=False)
class Cluster:
    """A connection to a scheduler; ``threads`` is how many tasks its workers take at once."""

    client: Any
    threads: int


@contextmanager
def connected(workers: Workers, items: int) -> Iterator[Cluster]:
    """Workers to submit tasks to; what is not finished when the block ends is cancelled.

    Parameters
    ----------
    workers : Workers
        Who is to work.
    items : int
        No more workers than this are started.

    Raises
    ------
    InputError
        If the scheduler does not answer, has no workers, or these have another version of this package.
    """
    with ExitStack() as stack:
        if workers.scheduler is not None:
            client = stack.enter_context(_client_of(workers.scheduler))
            _check_workers(client, workers.scheduler)
        else:
            client = stack.enter_context(_own_workers(min(workers.count or _cores(), items)))
        yield Cluster(client, sum(client.nthreads().values()))


def _cores() -> int:
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


@contextmanager
def _own_workers(count: int) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set(_SETTINGS):
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",  # any free port: another cluster may be running here
            silence_logs=logging.CRITICAL,
        )
    with cluster, Client(cluster) as client:
        yield client


@contextmanager
def _client_of(address: str) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(address, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"No dask scheduler answers at {address} within {_ANSWER_S} s; start one with `dask scheduler` and give"
            " the address it prints, as in tcp://head:8786."
        ) from error
    with client:
        yield client


def version_here() -> str:
    """Version of this package where it is called: on a worker."""
    return __version__


def _check_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_ANSWER_S)
    except TimeoutError as error:
        raise InputError(
            f"The scheduler at {address} has no workers; start some with `dask worker {address}` on machines that see"
            " the same files."
        ) from error
    try:
        versions = set(client.run(version_here).values())
    except ImportError as error:
        raise InputError(
            f"The workers of {address} do not have napari-autofocus; install version {__version__} where they run."
        ) from error
    if versions != {__version__}:
        others = ", ".join(sorted(versions - {__version__}))
        raise InputError(
            f"Workers of {address} have napari-autofocus {others}, this is {__version__}; install the same everywhere."
        )
