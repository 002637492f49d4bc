"""The command line: a file for each command, with no logic of its own.

Commands are loaded when they run, so that ``napari-autofocus --help`` answers at once.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from napari_autofocus.cli.parts.groups import spread_groups
from napari_autofocus.cli.parts.output import BAD_INPUT, INTERRUPTED, print_json, say
from napari_autofocus.errors import AutofocusError, InputError

COMMANDS = {
    "acquire": "Take z-stacks at many places of a slide, from a microscope, simulated or real; leave out glass.",
    "calibrate": "Make a model for one microscope, prove it there, and say in a report whether to trust it.",
    "calibrate-lens": "Measure by how much a tunable lens shifts the focus, so that it can focus in place of a stage.",
    "demo": "Open napari on a simulated microscope and focus it; without a screen, leave screenshots and a report.",
    "estimate": "Tell from single frames how far they are out of focus, in which direction, and how far to trust that.",
    "evaluate": "Compare what a model says about single frames with where stacks are in focus.",
    "fuse": "Make one image that is sharp everywhere of a z-stack, and a map of the z at which each part is sharp.",
    "label": "Find the best focus of z-stacks: for the field and for each patch, and how far to trust it.",
    "mda": "Run an acquisition of useq on a microscope, and focus in it wherever it says; what fails is recorded.",
    "models": "List the models that are installed: their optics, range and measured accuracy.",
    "refocus": "Focus a microscope, simulated or real, by a model: one frame, one move, and a frame that proves it.",
    "simulate": "Write z-stacks of a simulated slide together with their true best focus.",
    "survey": "Find where a slide is in focus at many places, one shot a place, and lay a map through them.",
    "sweep": "Focus a microscope, simulated or real, by a classical search.",
    "train": "Make a model of one's own z-stacks, new or from one that is shipped.",
    "tune": "Find out which settings teach a model best, by population-based training; train takes what it finds.",
    "virtual-refocus": "Recover the image in focus from two shots either side of it; nothing moves.",
    "virtual-scan": "Take a slide with two shots a tile, stitch it and, with a model, recover it in focus.",
}

_UsageError: Any = typer.BadParameter.__mro__[1]  # of click, or of the copy of it that newer typers bring along


@contextmanager
def _in_few_words() -> Iterator[None]:
    """What was typed stands in the refusal: however long, it is told in a sentence."""
    try:
        yield
    except _UsageError as error:
        if error.message:
            error.message = str(InputError(error.message))
        raise


class LazyCommands(TyperGroup):
    """Knows what each command is for without loading it, and turns our errors into one sentence and an exit code."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=summary) for name, summary in COMMANDS.items()}

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The line as it was typed, up to the name of the command."""
        if not args:  # help is no refusal
            return super().make_context(info_name, args, parent, **extra)
        with _in_few_words():
            return super().make_context(info_name, args, parent, **extra)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to run, loaded now: what the group lists are stand-ins that carry a summary only."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, stand_in and load_command(str(name)), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a refusal is one sentence on standard error, and in the JSON object where one was asked."""
        as_json = "--json" in ctx.args
        try:
            with _in_few_words():
                return super().invoke(ctx)
        except AutofocusError as error:
            _tell(error, as_json)
            raise typer.Exit(BAD_INPUT) from error
        except OSError as error:  # a name that is too long, a disk that is gone
            what = error.strerror or type(error).__name__
            _tell(InputError(f"{error.filename or 'A file'} cannot be used ({what}); check the paths."), as_json)
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt:
            say("Stopped.")
            raise typer.Exit(INTERRUPTED) from None


def _tell(error: AutofocusError, as_json: bool) -> None:
    say(f"Error: {error}")
    if as_json:
        print_json({"error": str(error)})


def load_command(name: str) -> Any:
    """Import one command's module and make a command of the function that bears its name."""
    function_name = name.replace("-", "_")
    function = getattr(importlib.import_module(f"napari_autofocus.cli.{function_name}"), function_name)
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    single.command(name, help=_without_line_breaks(inspect.getdoc(function) or ""))(spread_groups(function))
    return typer.main.get_command(single)


def _without_line_breaks(docstring: str) -> str:
    """The docstring with each paragraph on one line, for help pages of any width; examples stay as they are."""
    paragraphs = docstring.split("\n\n")
    return "\n\n".join(text if text.startswith(" ") else text.replace("\n", " ") for text in paragraphs)


app = typer.Typer(
    cls=LazyCommands,
    name="napari-autofocus",
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from napari_autofocus import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback(
    help="Autofocus for microscopes: label z-stacks, simulate them, focus a drive. Lengths are in µm.\n\n"
    "With [bold]--json[/bold] a command prints one JSON object on standard output and nothing else there. Exit codes:"
    " 0 done; 2 bad input, one sentence on standard error says what; 3 done in part, some of several inputs were bad.",
    epilog="Every command explains itself: [bold]napari-autofocus label --help[/bold]",
)
def _napari_autofocus(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the ``napari-autofocus`` command."""
    app()
