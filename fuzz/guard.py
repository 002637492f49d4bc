"""One opening of an input under watch: what it raised, touched outside its folder, took of memory and of time."""

from __future__ import annotations

import os
import resource
import signal
import sys
import sysconfig
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_autofocus.errors import AutofocusError

CPU_S = 5.0
"""Processor time that an input of a few kilobytes may take, s."""
MEMORY = 512 * 2**20
"""Bytes that it may take at once."""
_ADDRESSES = 4 * 2**30  # beyond this an allocation fails at once, which spares the machine
_LONGEST_MESSAGE = 2000

_RUNNING = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn"}
_CODE = {"pickle.find_class", "sqlite3.enable_load_extension", "sqlite3.load_extension"}
_NETWORK = {"socket.connect", "socket.getaddrinfo", "urllib.Request"}
_PATHS = {
    "open": 1,
    "os.remove": 1,
    "os.rename": 2,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.chmod": 1,
    "shutil.rmtree": 1,
    "sqlite3.connect": 1,
    "ctypes.dlopen": 1,
}
_WRITES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"}


class TookTooLong(BaseException):
    """Raised inside whatever takes too long; no handler of errors catches it."""


@dataclass(frozen=True)
class Outcome:
    """How one input ended.

    Parameters
    ----------
    ended : {'opened', 'refused', 'found'}
        ``found`` is what must not be.
    kind : str
        Of a finding: ``crash``, ``words``, ``outside``, ``code``, ``network``, ``memory`` or ``time``.
    what : str
        The sentence of a refusal; of a finding what happened, and where.
    """

    ended: str
    kind: str = ""
    what: str = ""


class _Watch:
    """The audit hook, which cannot be taken off again: it looks only while an input is being opened."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.folder = ""
        self.seen: list[tuple[str, str]] = []
        places = [sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), str(Path(__file__).parents[1])]
        self._readable = tuple({os.path.realpath(place) + os.sep for place in places})
        # SciPy 1.14 gives Qhull a file of its own making for what it has to say of points that span no surface.
        self._scipy = os.path.realpath(tempfile.gettempdir()) + os.sep + "scipy-"
        self._readable += ("/usr/", "/lib", "/proc/", "/sys/", "/dev/", "/etc/ld.so", "/etc/localtime", "/etc/mime")

    def __call__(self, event: str, values: tuple[Any, ...]) -> None:
        if self.thread is None or threading.get_ident() != self.thread:
            return
        if event in _RUNNING or event in _CODE:
            self.seen.append(("code", f"{event} {values!r:.120}"))
        elif event in _NETWORK:
            self.seen.append(("network", f"{event} {values!r:.120}"))
        elif event in _PATHS:
            for path in values[: _PATHS[event]]:
                self._look(event, path, values)

    def _look(self, event: str, path: Any, values: tuple[Any, ...]) -> None:
        if not isinstance(path, str | bytes | os.PathLike) or not (text := os.fsdecode(path)):
            return
        if event == "sqlite3.connect" and text.startswith("file:"):
            text = text[5:].partition("?")[0]
        place = os.path.realpath(text) if "\0" not in text else text
        if (place + os.sep).startswith(self.folder + os.sep) or place.startswith(self._scipy):
            return
        writes = event in _WRITES or (event == "open" and _is_writing(values))
        if writes or (not place.startswith(self._readable) and place.startswith("/") and ":memory:" not in place):
            self.seen.append(("outside", f"{event} {place}"))


def _is_writing(values: tuple[Any, ...]) -> bool:
    mode, flags = (*values, None, None)[1:3]
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


_WATCH = _Watch()
_installed: list[bool] = []


def _install() -> None:
    if not _installed:
        sys.addaudithook(_WATCH)
        _installed.append(True)


def opened(read: Callable[[Path], object], path: Path, folder: Path, *, cpu_s: float = CPU_S) -> Outcome:
    """Open an input as a user would, and say how that ended.

    Parameters
    ----------
    read : callable
        Opens it; may raise :class:`AutofocusError` and nothing else.
    path : Path
        What to open.
    folder : Path
        The only folder that may be read or written.
    cpu_s : float
        Processor time that it may take, s.
    """
    _install()
    before = _forget_peak()
    error: BaseException | None = None
    with _limits(cpu_s), _watched(folder) as seen:
        try:
            read(path)
        except (Exception, TookTooLong, SystemExit) as raised:  # noqa: BLE001 (that is what is looked for)
            error = raised
    if seen:
        return Outcome("found", *seen[0])
    peak = _memory("VmHWM")
    if _ran_out(error) or (before is not None and peak - before > MEMORY):
        return Outcome("found", "memory", f"{(peak - (before or peak)) / 2**20:.0f} MB taken; {_told(error)}")
    return _judged(error)


def _judged(error: BaseException | None) -> Outcome:
    if error is None:
        return Outcome("opened")
    if isinstance(error, TookTooLong):
        return Outcome("found", "time", _told(error))
    if not isinstance(error, AutofocusError):
        return Outcome("found", "crash", _told(error))
    text = str(error)
    if not text.strip() or "\n" in text or len(text) > _LONGEST_MESSAGE:
        return Outcome("found", "words", f"{len(text)} characters: {text[:200]!r}")
    return Outcome("refused", what=text)


def _ran_out(error: BaseException | None) -> bool:
    """Whether memory was asked for that is not there, however the refusal words it."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _told(error: BaseException | None) -> str:
    """What was raised, and the innermost line of ours that it came through."""
    if error is None:
        return "nothing raised"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "napari_autofocus" in frame.filename and "site-packages" not in frame.filename]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "outside"
    return f"{type(error).__name__}: {str(error)[:160]!r} in {place}"


@contextmanager
def _watched(folder: Path) -> Iterator[list[tuple[str, str]]]:
    _WATCH.folder, _WATCH.seen = os.path.realpath(folder), []
    _WATCH.thread = threading.get_ident()
    try:
        yield _WATCH.seen
    finally:
        _WATCH.thread = None


@contextmanager
def _limits(cpu_s: float) -> Iterator[None]:
    """A time limit by the processor's clock, and a ceiling for addresses; both as before in the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + _ADDRESSES, hard))
    earlier = signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, cpu_s, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        # One that is still under way to another thread would end the process by default.
        signal.signal(signal.SIGPROF, signal.SIG_IGN if earlier == signal.SIG_DFL else earlier)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _too_long(_signal: int, _frame: Any) -> None:
    if _WATCH.thread is not None:
        raise TookTooLong


def _forget_peak() -> int | None:
    """Set the peak of memory back to what is in use, bytes; None where the system does not let us."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _memory("VmRSS")


def _memory(what: str) -> int:
    """A line of the process's status, bytes."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123 (often, and fast)
        for line in status:
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
    return 0
