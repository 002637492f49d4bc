"""The map of the house in the docs says what the modules say."""

from __future__ import annotations

from pathlib import Path

from docs.make_house import PAGE, SOURCE, first_sentence, house_page


def test_the_map_is_made_from_the_modules_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == house_page(), "run python docs/make_house.py"


def test_every_module_and_every_room_says_what_it_is_for() -> None:
    silent = [path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if not first_sentence(path)]
    assert silent == []


def test_a_docstring_becomes_one_line_of_a_table(tmp_path: Path) -> None:
    module = tmp_path / "curve.py"
    module.write_text('"""Curves of ``z``\nand a | b.\n\nMore of them."""\n')
    assert first_sentence(module) == "Curves of `z` and a \\| b."
