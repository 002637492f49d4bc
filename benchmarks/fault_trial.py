"""What is noted of a trial with files and processes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from napari_autofocus.errors import InputError

_SENTENCE = re.compile(r"\w.{14,}", re.DOTALL)


@dataclass
class Notes:
    """The course of one trial."""

    at: int = 0
    times: int = 1
    struck: bool = False
    outcome: str = ""
    sentence: str = ""
    violations: list[str] = field(default_factory=list)

    def end(self, outcome: str, sentence: str = "") -> None:
        """How it ended; the first word counts."""
        self.outcome = self.outcome or outcome
        self.sentence = self.sentence or sentence

    def wrong(self, what: str) -> None:
        """Something that must not be."""
        self.violations.append(what)

    def require(self, holds: bool, otherwise: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.wrong(otherwise)

    @contextmanager
    def refusing(self, outcome: str = "refused") -> Iterator[None]:
        """What fails inside must fail with an InputError of one sentence."""
        try:
            yield
        except InputError as error:
            self.struck = True
            self.end(outcome, str(error))
            self.require(bool(_SENTENCE.search(str(error))), f"{outcome} without a sentence")
