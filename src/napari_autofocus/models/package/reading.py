"""Opening a model's package: nothing in it is believed before hashes, versions, card and test tensors agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from napari_autofocus.errors import InputError
from napari_autofocus.models.package.archive import read_archive
from napari_autofocus.models.package.card import CONFIG_VERSION, FocusKind, ModelCard
from napari_autofocus.models.package.members import LAYOUTS, OUR_BLOCK, RDF, Layout, checksum_of, sha256_of
from napari_autofocus.models.package.plain_yaml import read_yaml
from napari_autofocus.models.package.proof import prove
from napari_autofocus.models.package.virtual_card import VirtualCard

_FORMAT = "0.5"
_AGAIN = "fetch or write the model again"


Card = TypeVar("Card", ModelCard, VirtualCard, ModelCard | VirtualCard, covariant=True)


@dataclass(frozen=True)
class Package(Generic[Card]):
    """An opened package: verified, in memory, nothing of it on the disk but the file itself.

    Parameters
    ----------
    path : Path
        The file.
    card : ModelCard or VirtualCard
        What is said about the model.
    members : mapping of str to bytes
        Content by name, as in :mod:`napari_autofocus.models.package.members`.
    """

    path: Path
    card: Card
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


ModelPackage = Package[ModelCard]
"""Tells defocus, from one shot or two."""
VirtualPackage = Package[VirtualCard]
"""Recovers the image in focus from two shots."""
AnyPackage = Package[ModelCard | VirtualCard]

_CARDS: dict[str, type[ModelCard] | type[VirtualCard]] = {
    "one-shot": ModelCard,
    "two-shot": ModelCard,
    "virtual": VirtualCard,
}
KIND_WORDS = {
    "one-shot": "tells defocus from one shot",
    "two-shot": "tells defocus from two shots",
    "virtual": "recovers the image in focus from two shots",
}
"""What a model of a kind does, for sentences."""


def open_package(path: Path | str, *, kind: FocusKind = "one-shot") -> ModelPackage:
    """Read a package and make sure that it is whole, ours, of this version, and answers as it did when written.

    Parameters
    ----------
    path : path-like
        The zip.
    kind : {'one-shot', 'two-shot'}
        What is wanted.

    Raises
    ------
    InputError
        In one sentence, if it is anything else. Hashes betray damage and changed members, the checksum a changed card;
        neither can prove who made the file.
    """
    path, card, members = _opened(Path(path), (kind,))
    assert isinstance(card, ModelCard)
    return Package(path, card, members)


def open_virtual_package(path: Path | str) -> VirtualPackage:
    """Read the package of a virtual refocuser, verified as by :func:`open_package`."""
    path, card, members = _opened(Path(path), ("virtual",))
    assert isinstance(card, VirtualCard)
    return Package(path, card, members)


def kind_of_package(path: Path | str) -> str:
    """What kind of model a package says that it is (see :data:`KIND_WORDS`), before anything of it is believed.

    Raises
    ------
    InputError
        If it is no package of ours.
    """
    return str(_our_block(Path(path), read_archive(Path(path))).get("kind"))


def open_any_package(path: Path | str) -> AnyPackage:
    """Read a package of any kind, verified as by :func:`open_package`."""
    return Package(*_opened(Path(path), tuple(LAYOUTS)))


def _opened(path: Path, kinds: tuple[str, ...]) -> tuple[Path, ModelCard | VirtualCard, Mapping[str, bytes]]:
    members = read_archive(path)
    block = _our_block(path, members)
    _check_version(path, block)
    kind = _kind(path, block, kinds)
    _check_checksum(path, block)
    _check_hashes(path, block, members, LAYOUTS[kind])
    card = _card(path, block, _CARDS[kind])
    prove(path, card, members)
    return path, card, members


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


def _kind(path: Path, block: Mapping[str, Any], wanted: tuple[str, ...]) -> str:
    """The kind of the package, if it is one of those wanted."""
    kind = block.get("kind")
    if kind in wanted and kind in LAYOUTS:
        return str(kind)
    found = f"{path} {KIND_WORDS[kind]}" if kind in KIND_WORDS else f"{path} is a {kind} model, which is not known here"
    raise InputError(f"{found}, and a model is wanted that {KIND_WORDS[wanted[0]]}; name another file.")


def _check_checksum(path: Path, block: Mapping[str, Any]) -> None:
    try:
        found = checksum_of(block)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"The card of {path} holds what JSON cannot ({error}); {_AGAIN}.") from error
    if found != block.get("checksum"):
        raise InputError(f"The card of {path} was changed after it was written (its checksum differs); {_AGAIN}.")


def _check_hashes(path: Path, block: Mapping[str, Any], members: Mapping[str, bytes], layout: Layout) -> None:
    stated = block.get("files")
    if not isinstance(stated, dict):
        raise InputError(f"{path} does not list its files; {_AGAIN}.")
    missing = sorted({*stated, *layout.required} - set(members))
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


def _card(path: Path, block: Mapping[str, Any], card: type[ModelCard] | type[VirtualCard]) -> ModelCard | VirtualCard:
    try:
        return card.from_dict({key: value for key, value in block.items() if key not in ("files", "checksum")})
    except InputError as error:
        raise InputError(f"{path} cannot be used. {error}") from error
