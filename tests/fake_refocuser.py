"""A virtual refocuser in a few lines: its answer is the sharper shot, a little brighter, with what a test asks for."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.sharpness import sharpness
from napari_autofocus.models.package import CardOptics, NetworkCard, TrainingRecord, VirtualCard
from napari_autofocus.models.refocuser import TileDone, VirtualImage
from napari_autofocus.models.seeing.optics_check import check_optics
from napari_autofocus.optics import Objective

OBJECTIVE = Objective.parse("20x/0.75", pixel_size_um=0.325)


def virtual_card(colour: str = "rgb", **changes: Any) -> VirtualCard:
    """The card of a model for 20x/0.75 at 0.325 µm a pixel."""
    return VirtualCard(
        **{
            "name": "fake-tsva",
            "description": "A fake.",
            "optics": CardOptics.of(OBJECTIVE, "rgb" if colour == "rgb" else "mono"),
            "stains": ("he",),
            "dof_um": 1.0,
            "half_um": (0.5, 3.0),
            "error_um": 1.0,
            "network": NetworkCard(architecture="Fake"),
            "evaluation": {"gain_db": 3.21},
            "training": TrainingRecord(
                seed=7, minutes=1.5, finished=datetime.date(2026, 1, 2), code_version="0.1.0", patches_seen=10
            ),
            **changes,
        }
    )


class FakeRefocuser:
    """Fulfils what the panel asks of a ``VirtualRefocuser``.

    Parameters
    ----------
    verdict : str
        Of every answer.
    shift_px : tuple of float
        Of every answer.
    tiles : int
        Steps that an answer takes.
    """

    def __init__(self, verdict: str = "recovered", shift_px: tuple[float, float] = (0.0, 0.0), tiles: int = 3) -> None:
        self.card = virtual_card()
        self.name = self.card.name
        self.fingerprint = "f" * 64
        self.package = SimpleNamespace(path=Path("fake-tsva.zip"))
        self.verdict, self.shift_px, self.tiles = verdict, shift_px, tiles
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.asked: list[dict[str, Any]] = []
        self.closed = 0

    def refocus(
        self,
        first: np.ndarray,
        second: np.ndarray,
        *,
        optics: ImageOptics | None = None,
        insist: bool = False,
        bit_depth: int | None = None,
    ) -> Generator[TileDone, None, VirtualImage]:
        """The sharper shot, 3 grey values brighter; each tile waits until it may go on."""
        self.asked.append({"optics": optics, "insist": insist, "bit_depth": bit_depth})
        colour = "rgb" if first.ndim == 3 else "mono"
        warnings = check_optics(self.card, optics, colour, insist=insist)  # type: ignore[arg-type]
        try:
            for done in range(self.tiles):
                yield TileDone(done, self.tiles)
                self.may_go_on.wait(30)
        except GeneratorExit:
            self.closed += 1
            raise
        values = [float(sharpness(np.asarray(shot, np.float32), "brenner")) for shot in (first, second)]
        sharper = int(np.argmax(values))
        image = np.clip((first, second)[sharper].astype(int) + 3, 0, 255).astype(first.dtype)
        doubtful = self.verdict == "doubtful"
        return VirtualImage(
            image=image,
            uncertainty=np.full(first.shape[:2], 0.02, np.float32),
            shift_px=self.shift_px,
            sharper=sharper,
            verdict=self.verdict,  # type: ignore[arg-type]
            reasons=("Both shots are the same.",) if doubtful else (),
            warnings=warnings,
            model=self.name,
            seconds=0.25,
        )
