"""The zip that a package is: the same bytes for the same members, and read as if whoever packed it meant harm.

Members are read into memory and never written anywhere, so no name in a zip can reach outside it; names that try are
refused all the same.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from napari_autofocus.errors import InputError

LARGEST_UNPACKED = 200 * 2**20
"""Bytes that all members may have together; ours have about 15 MB."""
MOST_MEMBERS = 100
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PIECE = 2**20


def write_archive(path: Path, members: Mapping[str, bytes]) -> None:
    """Write members in the order given, with the times and rights of all archives alike."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, compresslevel=9)


def read_archive(path: Path) -> dict[str, bytes]:
    """All members of a zip.

    Raises
    ------
    InputError
        If there is no such file, it is no zip, it is truncated or damaged, a name in it is unsafe or double, or it
        would unpack to more than :data:`LARGEST_UNPACKED`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(path, entries)
            return _read_all(path, archive, entries)
    except FileNotFoundError as error:
        raise InputError(f"There is no model file {path}; check the path.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InputError(_why_unreadable(path, error)) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from error


def _read_all(path: Path, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    """What the entries hold, counted while it is unpacked: the sizes that a zip states may be lies."""
    left = LARGEST_UNPACKED
    members: dict[str, bytes] = {}
    for entry in entries:
        pieces: list[bytes] = []
        with archive.open(entry) as stream:
            while piece := stream.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise _too_large(path)
                pieces.append(piece)
        members[entry.filename] = b"".join(pieces)
    return members


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > MOST_MEMBERS or sum(entry.file_size for entry in entries) > LARGEST_UNPACKED:
        raise _too_large(path)
    for name in names:
        if not _is_safe(name):
            raise InputError(f"{path} holds the name {name!r}, which points outside the package; do not use this file.")
    double = {name for name in names if names.count(name) > 1}
    if double:
        raise InputError(f"{path} holds {sorted(double)[0]!r} twice; do not use this file.")


def _is_safe(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and not set(name) & set("\\:\0")


def _too_large(path: Path) -> InputError:
    return InputError(
        f"{path} would unpack to more than {LARGEST_UNPACKED // 2**20} MB or {MOST_MEMBERS} files, which no model of"
        " ours does; do not use this file."
    )


def _why_unreadable(path: Path, error: Exception) -> str:
    if not path.stat().st_size:
        return f"{path} is empty; fetch or write the model again."
    with path.open("rb") as handle:
        begins_as_zip = handle.read(4) == b"PK\x03\x04"
    if begins_as_zip:
        return f"{path} is damaged or was cut short ({error}); fetch or write the model again."
    return f"{path} is not a model: a model file is a zip, and this is none; name a file that training wrote."
