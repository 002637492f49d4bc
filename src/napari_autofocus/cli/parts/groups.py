"""Groups of options that several commands share: a command asks for a dataclass, the shell sees one option a field.

Typer knows options of a function only. A field whose annotation says how it is spelt is an option; any other is left at
its default for the command to fill in.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints

from typer.models import ParameterInfo


def spread_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer is to see it: each parameter that is a dataclass stands as the options of its fields."""
    told = list(inspect.signature(command, eval_str=True).parameters.values())
    groups: dict[str, Any] = {each.name: each.annotation for each in told if is_dataclass(each.annotation)}
    if not groups:
        return command
    options = {name: _options_of(group) for name, group in groups.items()}

    def called(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{option.name: values.pop(option.name) for option in options[name]})
        command(**values)

    shown = [option for each in told for option in options.get(each.name, [each])]
    by_name = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in shown]
    called.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in by_name}
    return called


def _options_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(group)
        if _is_option(hints[each.name])
    ]


def _is_option(hint: Any) -> bool:
    return any(isinstance(each, ParameterInfo) for each in getattr(hint, "__metadata__", ()))
