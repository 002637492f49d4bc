"""How the thread that runs a population and the generator that tells of it speak to one another."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any

from napari_autofocus.workflows.tune.steps import GenerationEnded, TakenOver


class Line:
    """What is told while a population learns, and whether it is to stop; stays in this process."""

    def __init__(self) -> None:
        self.told: SimpleQueue[GenerationEnded | TakenOver] = SimpleQueue()
        self.stop = threading.Event()

    def __getstate__(self) -> dict[str, Any]:
        """Ray writes down whatever it is given; this it need not."""
        return {}

    def __setstate__(self, _: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]
