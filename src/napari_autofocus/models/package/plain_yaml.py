"""YAML of plain values only: no objects, and no aliases, with which a short text can stand for gigabytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from yaml.composer import ComposerError

from napari_autofocus.errors import InputError

LARGEST = 2**20
"""Bytes; ours have about ten thousand."""


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ComposerError(None, None, "aliases are not allowed", self.peek_event().start_mark)
        return super().compose_node(parent, index)


class _PlainDumper(yaml.SafeDumper):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write out what occurs twice: the reader refuses aliases."""
        return True


def write_yaml(content: Mapping[str, Any]) -> bytes:
    """The content as YAML, keys in the order given."""
    text: str = yaml.dump(dict(content), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=120)
    return text.encode()


def read_yaml(content: bytes, what: str) -> dict[str, Any]:
    """Read a mapping.

    Parameters
    ----------
    content : bytes
        UTF-8.
    what : str
        Name of the text for messages.

    Raises
    ------
    InputError
        If it is too long, no YAML, uses aliases or objects, or is no mapping.
    """
    if len(content) > LARGEST:
        raise InputError(f"{what} has {len(content)} bytes, more than {LARGEST}; do not use this file.")
    try:
        loader = _PlainLoader(content.decode())
        try:
            found = loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{what} cannot be read ({reason}); fetch or write the model again.") from error
    if not isinstance(found, dict):
        raise InputError(f"{what} is no description of a model; fetch or write the model again.")
    return found
