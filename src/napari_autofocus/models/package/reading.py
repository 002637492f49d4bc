"""Opening a model's package: nothing in it is believed before hashes, versions, card and test tensors agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from napari_autofocus.errors import InputError
from napari_autofocus.models.package.archive import read_archive
from napari_autofocus.models.package.card import CONFIG_VERSION, ModelCard
from napari_autofocus.models.package.members import OUR_BLOCK, RDF, REQUIRED, checksum_of, sha256_of
from napari_autofocus.models.package.plain_yaml import read_yaml
from napari_autofocus.models.package.proof import prove

_FORMAT = "0.5"
_AGAIN = "fetch or write the model again"


@dataclass(frozen=True)
class ModelPackage:
    """An opened package: verified, in memory, nothing of it on the disk but the file itself.

    Parameters
    ----------
    path : Path
        The file.
    card : ModelCard
        What is said about the model.
    members : mapping of str to bytes
        Content by name, as in :mod:`napari_autofocus.models.package.members`.
    """

    path: Path
    card: ModelCard
    members: Mapping[str, bytes] = field(repr=False)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the names and the content of all members: the same for a copy of the file."""
        listed = "".join(f"{name} {sha256_of(content)}\n" for name, content in sorted(self.members.items()))
        return sha256_of(listed.encode())

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.path.stat().st_size


def open_package(path: Path | str, *, kind: str = "one-shot") -> ModelPackage:
    """Read a package and make sure that it is whole, ours, of this version, and answers as it did when written.

    Parameters
    ----------
    path : path-like
        The zip.
    kind : str
        What is wanted.

    Raises
    ------
    InputError
        In one sentence, if it is anything else. Hashes betray damage and changed members, the checksum a changed card;
        neither can prove who made the file.
    """
    path = Path(path)
    members = read_archive(path)
    block = _our_block(path, members)
    _check_version(path, block)
    _check_kind(path, block, kind)
    _check_checksum(path, block)
    _check_hashes(path, block, members)
    card = _card(path, block)
    prove(path, card, members)
    return ModelPackage(path, card, members)


def _our_block(path: Path, members: Mapping[str, bytes]) -> dict[str, Any]:
    """Our block of ``rdf.yaml``, not yet believed."""
    if RDF not in members:
        raise InputError(f"{path} is a zip but not a model: it has no {RDF}; name a file that training wrote.")
    rdf = read_yaml(members[RDF], f"The {RDF} of {path}")
    if rdf.get("type") != "model":
        raise InputError(f"{path} describes a {rdf.get('type')!r}, not a model; name a file that training wrote.")
    version = str(rdf.get("format_version"))
    if not version.startswith(f"{_FORMAT}."):
        raise InputError(
            f"{path} has version {version} of the bioimage.io model format, and this program reads {_FORMAT}; use"
            " another version of napari-autofocus, or write the model again."
        )
    config = rdf.get("config")
    block = config.get(OUR_BLOCK) if isinstance(config, dict) else None
    if not isinstance(block, dict):
        raise InputError(
            f"{path} is a bioimage.io model but none that tells defocus: its config has no {OUR_BLOCK}; name a file"
            " that training wrote."
        )
    return block


def _check_version(path: Path, block: Mapping[str, Any]) -> None:
    version = block.get("config_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(f"{path} states no version of its card (found {version!r}); {_AGAIN}.")
    if version > CONFIG_VERSION:
        raise InputError(
            f"{path} was written by a later napari-autofocus (card version {version}, this one reads up to"
            f" {CONFIG_VERSION}); update napari-autofocus."
        )


def _check_kind(path: Path, block: Mapping[str, Any], wanted: str) -> None:
    if block.get("kind") != wanted:
        raise InputError(f"{path} is a {block.get('kind')} model, and a {wanted} model is wanted; name another file.")


def _check_checksum(path: Path, block: Mapping[str, Any]) -> None:
    try:
        found = checksum_of(block)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"The card of {path} holds what JSON cannot ({error}); {_AGAIN}.") from error
    if found != block.get("checksum"):
        raise InputError(f"The card of {path} was changed after it was written (its checksum differs); {_AGAIN}.")


def _check_hashes(path: Path, block: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    stated = block.get("files")
    if not isinstance(stated, dict):
        raise InputError(f"{path} does not list its files; {_AGAIN}.")
    missing = sorted({*stated, *REQUIRED} - set(members))
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; {_AGAIN}.")
    unknown = sorted(set(members) - {RDF, *stated})
    if unknown:
        raise InputError(f"{path} holds {', '.join(unknown)}, which its card does not list; {_AGAIN}.")
    changed = [name for name, digest in stated.items() if sha256_of(members[name]) != digest]
    if changed:
        raise InputError(
            f"{path} was changed after it was written: the hash of {', '.join(changed)} differs; {_AGAIN}."
        )


def _card(path: Path, block: Mapping[str, Any]) -> ModelCard:
    try:
        return ModelCard.from_dict({key: value for key, value in block.items() if key not in ("files", "checksum")})
    except InputError as error:
        raise InputError(f"{path} cannot be used. {error}") from error
