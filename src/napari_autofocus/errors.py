"""Everything that can go wrong and has a name, so that callers can tell a bad file from a refused move.

None of these inherits ``RuntimeError``: generator workers swallow ``RuntimeError`` silently, and pymmcore raises it for
every hardware fault. Each message is one sentence that says what was wrong, what was found and what to do.
"""

from __future__ import annotations

import unicodedata

_LONGEST = 1200  # characters; the end of a sentence says what to do, so the middle is left out


class AutofocusError(Exception):
    """Base of every error this project raises on purpose.

    Names and values from files stand in the messages: control characters are taken out of them, so that a file can
    neither break the sentence into lines nor command a terminal, and what is endless is cut in the middle.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(_in_a_line(message))


class InputError(AutofocusError):
    """A file, an image or an argument cannot be used; the message says what was found and what to do."""


class OpticsRefused(InputError):
    """A frame's optics are unknown, or not those that a model was made for, and the user does not insist.

    Parameters
    ----------
    message : str
        What was found, and what to do.
    differences : tuple of str
        A sentence for each.
    """

    def __init__(self, message: str, differences: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.differences = differences


class HardwareError(AutofocusError):
    """A device failed, timed out or answered nonsense."""


class FrameError(HardwareError):
    """The camera delivered no frame, a stale frame or one that cannot be an image of the sample."""


class DriveHalted(HardwareError):
    """The drive was halted on its way, by a Stop button for instance."""


class MoveRefused(AutofocusError):
    """A move was asked for that must not be made; nothing has moved."""


class MicroscopeTaken(MoveRefused):
    """Somebody else has the microscope: another run, an acquisition, a move; nothing has moved.

    Parameters
    ----------
    message : str
        Who has it, and what to do.
    owner : str
        Who has it: ``the survey``.
    """

    def __init__(self, message: str, owner: str) -> None:
        super().__init__(message)
        self.owner = owner


class ForeignMove(HardwareError):
    """Somebody else moved the drive beyond its limits, or while a routine of ours was relying on its position.

    Parameters
    ----------
    message : str
        What was found.
    z_um : float, optional
        Where the drive was seen, µm.
    """

    def __init__(self, message: str, z_um: float | None = None) -> None:
        super().__init__(message)
        self.z_um = z_um


class RoutineTimeout(AutofocusError):
    """A routine used up the time it was given."""


def _in_a_line(text: str) -> str:
    if not text.isprintable():
        text = "".join(_shown(letter) for letter in text)
    return text if len(text) <= _LONGEST else f"{text[:800]} ... {text[-300:]}"


def _shown(letter: str) -> str:
    kind = unicodedata.category(letter)
    if letter in "\n\r\t\v\f" or kind in ("Zl", "Zp"):
        return " "
    return "?" if kind in ("Cc", "Cf", "Cs") else letter
