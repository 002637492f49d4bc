"""Work on many items, here and on a real cluster of two processes, of which some are killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster
from spread_functions import die_of_seven, die_once, process_of, square

from napari_autofocus.errors import InputError
from napari_autofocus.workflows.spread import HERE, Finished, Unfinished, Waiting, Workers, spread
from napari_autofocus.workflows.spreading import cluster as spread_cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A cluster as somebody else has started it: two processes, and a scheduler that gives up early."""
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.deploy.lost-worker-timeout": "1 day"}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as made,
    ):
        yield made


def outcomes(steps: Iterator[object]) -> tuple[dict[int, object], dict[int, str]]:
    """What was finished and what was not, by number; nothing is told twice."""
    told = [step for step in steps if not isinstance(step, Waiting)]
    done = {step.number: step.result for step in told if isinstance(step, Finished)}
    failed = {step.number: step.reason for step in told if isinstance(step, Unfinished)}
    assert len(told) == len(done) + len(failed)
    return done, failed


def on(cluster: LocalCluster) -> Workers:
    """The cluster, with both of its workers: one that an earlier test killed may not be back yet."""
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=120)
    return Workers(scheduler=cluster.scheduler_address)


def test_each_item_is_done_once_and_a_bad_one_is_told_here_and_there(cluster: LocalCluster) -> None:
    items = list(range(60))
    here = outcomes(spread(square, items, [1.0] * 60))
    there = outcomes(spread(square, items, [1.0] * 60, on(cluster)))
    assert here == there
    assert there[1] == {13: "13 brings bad luck; leave it out."}
    assert there[0] == {number: number**2 for number in items if number != 13}


def test_several_processes_share_the_work(cluster: LocalCluster) -> None:
    done, _ = outcomes(spread(process_of, list(range(40)), [20e6] * 40, on(cluster)))
    assert len(set(done.values())) == 2


def test_what_a_killed_worker_had_begun_is_done_by_another(cluster: LocalCluster, tmp_path: Path) -> None:
    flags = [tmp_path / "first", tmp_path / "second"]
    done, failed = outcomes(spread(die_once, flags, [1.0, 1.0], on(cluster)))
    assert (done, failed) == ({0: "first", 1: "second"}, {})


def test_an_item_that_kills_its_workers_fails_alone(cluster: LocalCluster) -> None:
    done, failed = outcomes(spread(die_of_seven, [6, 7, 8], [1.0] * 3, on(cluster)))
    assert done == {0: 6, 2: 8}
    assert list(failed) == [1]
    assert "Workers ended again and again" in failed[1]


def test_closing_cancels_what_has_not_begun(cluster: LocalCluster) -> None:
    steps = spread(process_of, list(range(200)), [20e6] * 200, on(cluster))
    next(steps)
    steps.close()
    with Client(cluster) as client:
        until = time.monotonic() + 30  # the scheduler hears of a client's leaving a little later
        while client.run_on_scheduler(_tasks_left) and time.monotonic() < until:
            time.sleep(0.1)
        assert client.run_on_scheduler(_tasks_left) == 0


def _tasks_left(dask_scheduler: object) -> int:
    return sum(task.state != "released" for task in dask_scheduler.tasks.values())  # type: ignore[attr-defined]


def test_workers_of_another_version_are_refused(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread_cluster, "__version__", "99.0")
    with pytest.raises(InputError, match=r"have napari-autofocus .*, this is 99.0"):
        next(spread(square, [1, 2], [1.0, 1.0], on(cluster)))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", ""])
def test_a_scheduler_that_does_not_answer_is_one_sentence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread_cluster, "_ANSWER_S", 1)
    with pytest.raises(InputError, match="No dask scheduler answers at"):
        next(spread(square, [1, 2], [1.0, 1.0], Workers(scheduler=address)))


def test_little_work_is_done_in_this_process() -> None:
    assert Workers().here([1e6] * 10)
    assert not Workers().here([1e9] * 10)
    assert Workers(count=4).here([1e9])
    assert not Workers(count=4).here([1.0, 1.0])
    assert HERE.here([1e9] * 10)
    assert not Workers(scheduler="tcp://head:8786").here([1.0])


def test_impossible_workers_are_refused() -> None:
    with pytest.raises(InputError, match="at least 0; found -1"):
        Workers(count=-1)
    with pytest.raises(InputError, match="give one of the two"):
        Workers("tcp://head:8786", 2)
