"""Freed memory that goes back to the system, where a program asks for that."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from napari_autofocus.memory import give_freed_memory_back

CHECK = """
import ctypes
import sys

from napari_autofocus.memory import give_freed_memory_back

ASKED = sys.argv[1] == "asked"
NAMES = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()


class Numbers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in NAMES]


C = ctypes.CDLL(None)
C.mallinfo2.restype = Numbers
C.malloc.restype, C.malloc.argtypes, C.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
if ASKED:
    assert give_freed_memory_back({})
C.free(C.malloc(30_000_000))  # from now on glibc alone would have smaller blocks lie in its pools
before = C.mallinfo2().hblks
block = C.malloc(12_000_000)
print(C.mallinfo2().hblks - before)
C.free(block)
"""


@pytest.mark.skipif(not hasattr(ctypes.pythonapi, "mallinfo2"), reason="asks glibc")
@pytest.mark.parametrize(("how", "of_their_own"), [("asked", 1), ("not asked", 0)])
def test_frames_are_blocks_of_their_own_which_go_back_however_large_another_was(how: str, of_their_own: int) -> None:
    # dask sets some of these for its workers, in the process that starts them and for good.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    command = [sys.executable, "-c", CHECK, how]
    ran = subprocess.run(command, env=own, capture_output=True, text=True, timeout=120, check=True)
    assert int(ran.stdout) == of_their_own


@pytest.mark.parametrize(
    "name", ["MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"]
)
def test_what_the_user_has_chosen_is_kept(name: str) -> None:
    assert not give_freed_memory_back({name: "1"})


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())  # one without mallopt, as musl
        assert not give_freed_memory_back({})
    monkeypatch.setattr(sys, "platform", "win32")
    assert not give_freed_memory_back({})
