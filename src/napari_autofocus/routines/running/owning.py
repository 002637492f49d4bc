"""A routine has its microscope to itself; whoever else asks for it is told which routine has it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from napari_autofocus.microscope.protocol import Claim, OwnedMicroscope

Step = TypeVar("Step")
Result = TypeVar("Result")


def owning(microscope: object, who: str, steps: Generator[Step, None, Result]) -> Generator[Step, None, Result]:
    """Run a generator as the microscope's owner, until it ends or is closed.

    Parameters
    ----------
    microscope : object
        One that has no owners (a fake, one of a single user) is simply used.
    who : str
        As others shall be told: ``the survey``.
    steps : generator
        What the owner does. Not begun where somebody else has the microscope.

    Raises
    ------
    MicroscopeTaken
        Somebody else has it. Nothing has moved.
    """
    with owned(microscope, who) as claim:
        return (yield from carried(claim, steps))


def owned(microscope: object, who: str, *, brief: bool = False) -> AbstractContextManager[Claim]:
    """Own a microscope inside, if it is one that has owners. Raises MicroscopeTaken.

    Parameters
    ----------
    microscope, who
        As for :func:`owning`.
    brief : bool
        Whether it will be over in a moment, so that others wait for it.
    """
    if isinstance(microscope, OwnedMicroscope):
        return microscope.owned_by(who, brief=brief)
    return nullcontext(_Unowned())


def carried(claim: Claim, steps: Generator[Step, None, Result]) -> Generator[Step, None, Result]:
    """The same steps; between two of them nobody acts for the owner, and any thread may go on with them."""
    return _Carried(claim, steps)


class _Carried(Generator[Any, None, Any]):
    """Passes everything on to a generator, and says whether it rests."""

    def __init__(self, claim: Claim, steps: Generator[Any, None, Any]) -> None:
        self._claim = claim
        self._steps = steps

    def send(self, value: None) -> Any:
        self._claim.resume()
        step = self._steps.send(value)
        self._claim.park()
        return step

    def throw(self, *error: Any) -> Any:
        self._claim.resume()
        step = self._steps.throw(*error)
        self._claim.park()
        return step


class _Unowned:
    """Stands in for a claim where there are no owners."""

    def park(self) -> None: ...

    def resume(self) -> None: ...
