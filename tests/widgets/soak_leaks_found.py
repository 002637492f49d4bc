"""The books of ``benchmarks/soak.py`` find what leaks; ``test_soak.py`` runs it in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from napari.components import ViewerModel

CYCLES = 12


@pytest.fixture
def leaks(load_benchmark: Callable[[str], ModuleType]) -> Iterator[ModuleType]:
    made = load_benchmark("soak_leaks")
    yield made
    made.mend()


def counted(load_benchmark: Callable[[str], ModuleType], leak: Callable[[Any], None] | None) -> dict[str, str]:
    books_module = load_benchmark("soak_books")
    books = books_module.Books(ViewerModel())
    for _ in range(CYCLES):
        if leak is not None:
            leak(books.viewer)
        books.sample()
    return {name: each["verdict"] for name, each in books_module.slopes(books.samples).items()}


@pytest.mark.usefixtures("qapp")
def test_every_kind_of_leak_is_found(load_benchmark: Callable[[str], ModuleType], leaks: ModuleType) -> None:
    def leak(viewer: Any) -> None:
        for each in leaks.LEAKS.values():
            each(viewer)

    found = counted(load_benchmark, leak)
    named = {name: found[name] for name in leaks.LEAKS}
    assert named == dict.fromkeys(named, "grows")
    assert found["heap_mb"] == "grows"


def test_memory_in_the_pools_of_threads_is_told_apart(load_benchmark: Callable[[str], ModuleType]) -> None:
    books_module = load_benchmark("soak_books")
    before_mb, kept = books_module.pools_mb(), []
    allocating = threading.Thread(target=lambda: kept.extend(bytearray(60_000) for _ in range(300)))
    allocating.start()
    allocating.join()
    assert 10.0 < books_module.pools_mb() - before_mb <= 20.0


@pytest.mark.usefixtures("qapp")
def test_nothing_is_found_where_nothing_leaks(load_benchmark: Callable[[str], ModuleType]) -> None:
    assert "grows" not in counted(load_benchmark, None).values()
