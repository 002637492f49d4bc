"""Models by name: the shipped ones, the user's own, and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_autofocus.errors import InputError
from napari_autofocus.models import library
from napari_autofocus.models.library import find_model, installed_models, user_folder
from tiny_models import tiny_bytes, tiny_file


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folder of shipped models and folder of the user's, both empty."""
    shipped, user = tmp_path / "shipped", tmp_path / "user"
    for folder in (shipped, user):
        folder.mkdir()
    monkeypatch.setattr(library, "SHIPPED", shipped)
    monkeypatch.setenv(library.USER_FOLDER_VARIABLE, str(user))
    monkeypatch.chdir(tmp_path)
    return shipped, user


def test_a_shipped_model_is_found_by_name(folders: tuple[Path, Path]) -> None:
    path = tiny_file(folders[0], "brightfield-20x")
    assert find_model("brightfield-20x") == path


def test_a_model_of_the_user_is_found_by_name(folders: tuple[Path, Path]) -> None:
    path = tiny_file(folders[1], "mine")
    assert find_model("mine") == path


def test_a_shipped_name_means_the_shipped_model(folders: tuple[Path, Path]) -> None:
    tiny_file(folders[1], "brightfield-20x")
    shipped = tiny_file(folders[0], "brightfield-20x")
    assert find_model("brightfield-20x") == shipped


@pytest.mark.parametrize("name", ["mine.zip", "./mine.zip"])
def test_a_file_is_found_by_its_path(folders: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    path = tiny_file(tmp_path, "mine")
    assert find_model(name).samefile(path)
    assert find_model(path) == path


def test_a_file_without_suffix_is_found(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(tiny_bytes())
    assert find_model("model").samefile(tmp_path / "model")


def test_an_unknown_name_lists_what_there_is(folders: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="There is no model 'brightfeld': none is installed"):
        find_model("brightfeld")
    tiny_file(folders[0], "brightfield-20x")
    tiny_file(folders[1], "mine")
    with pytest.raises(InputError, match="installed are brightfield-20x, mine; name one of these"):
        find_model("brightfeld")


def test_models_are_listed_with_their_cards_and_faults(folders: tuple[Path, Path]) -> None:
    tiny_file(folders[0], "brightfield-20x")
    (folders[1] / "broken.zip").write_bytes(tiny_bytes()[:1000])
    (folders[1] / "notes.txt").write_text("not a model")
    good, broken = installed_models()
    assert (good.name, good.place, good.fault) == ("brightfield-20x", "shipped", "")
    assert good.card is not None
    assert (broken.name, broken.place, broken.card) == ("broken", "user", None)
    assert "cut short" in broken.fault


def test_the_users_folder_is_named_by_the_system_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(library.USER_FOLDER_VARIABLE, raising=False)
    assert user_folder().parts[-2:] == ("napari-autofocus", "models")
    monkeypatch.setenv(library.USER_FOLDER_VARIABLE, "elsewhere")
    assert user_folder() == Path("elsewhere")


@pytest.mark.parametrize("path", sorted(library.SHIPPED.glob("*.zip")), ids=lambda path: path.stem)
def test_what_is_shipped_opens_under_its_own_name(path: Path) -> None:
    (model,) = [each for each in installed_models() if each.path == path]
    assert model.fault == ""
    assert model.card is not None
    assert model.card.name == path.stem
    assert model.size_bytes < 10e6
