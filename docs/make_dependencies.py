"""Make the table of dependencies in ``security.md`` from ``pyproject.toml``, ``constraints.txt`` and what is installed.

    python docs/make_dependencies.py            writes the table
    python docs/make_dependencies.py --check    fails if the page names other libraries or versions

Licences are those that the installed packages state; the check leaves them out, for other versions word them otherwise.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

DOCS = Path(__file__).parent
PAGE = DOCS / "security.md"
BEGIN, END = "<!-- dependencies -->", "<!-- /dependencies -->"
USERS_EXTRAS = ("napari", "pyside", "czi", "nd2", "train", "tune")
_HEAD = "| library | from | tested | licence | what for |\n| --- | --- | --- | --- | --- |"

WHAT_FOR = {
    "bioio": "one door to the formats of vendors",
    "bioio-czi": "Zeiss CZI, a plugin of bioio",
    "bioio-nd2": "Nikon ND2, a plugin of bioio",
    "bioio-ome-tiff": "OME-TIFF of others, a plugin of bioio",
    "bioio-ome-zarr": "OME-Zarr of others, a plugin of bioio",
    "bioimageio.spec": "model cards in the form of the BioImage Model Zoo",
    "dask": "lazy planes in napari, many stacks at once",
    "distributed": "many stacks on many processes",
    "imagecodecs": "compressed TIFF",
    "matplotlib": "figures of reports",
    "napari": "the viewer; `pyqt6` (GPL-3.0) or `pyside6` (LGPL-3.0) with it",
    "ndstorage": "NDTiff, the form in which Micro-Manager saves",
    "numcodecs": "bounds for what is compressed in OME-Zarr",
    "numpy": "arrays",
    "onnx": "writing models",
    "onnxruntime": "running models",
    "onnxscript": "writing models; torch asks for it",
    "opencv-python-headless": "focus measures, resampling",
    "pillow": "PNG, JPEG and BMP",
    "platformdirs": "where settings and measurements are kept",
    "psfmodels": "point spread functions of simulated microscopes",
    "psutil": "memory and processors while settings are tuned",
    "psygnal": "events",
    "pyarrow": "Parquet tables; zstd that states no size",
    "pydantic": "values from files, checked",
    "pymmcore-plus": "Micro-Manager; brings useq-schema and pymmcore (LGPL-2.1)",
    "pyqtgraph": "live plots",
    "PySide6": "one of the two Qts",
    "pyyaml": "useq sequences, model cards",
    "qtpy": "either Qt",
    "ray": "population-based training",
    "rich": "tables and progress in the shell",
    "safetensors": "weights without code in them",
    "scikit-image": "counting cells, likeness of images",
    "scipy": "filters, optimisation, interpolation",
    "superqt": "widgets that fold",
    "tifffile": "TIFF",
    "torch": "teaching models",
    "typer": "the command line",
    "typing-extensions": "types of newer Pythons",
    "useq-schema": "acquisitions as they are planned elsewhere",
    "zarr": "OME-Zarr",
}

# Where the metadata say nothing, or all of a long text.
_STATED = {
    "PySide6": "LGPL-3.0",
    "bioimageio.spec": "MIT",
    "bioio-czi": "GPL-3.0",
    "bioio-nd2": "MIT",
    "matplotlib": "PSF-based",
    "scikit-image": "BSD-3-Clause",
    "safetensors": "Apache-2.0",
    "scipy": "BSD-3-Clause",
    "torch": "BSD-3-Clause",
}
_LONGEST = 40


@dataclass(frozen=True)
class Dependency:
    """A library that users get, as ``pyproject.toml`` declares it.

    Parameters
    ----------
    name : str
        As the registry spells it.
    lowest : str
        Lowest version; empty where none is declared.
    extra : str
        Which extra brings it; empty for everybody.
    """

    name: str
    lowest: str
    extra: str


def declared() -> Iterator[Dependency]:
    """Every library that users get, those for everybody first."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": project["dependencies"]}
    groups |= {extra: project["optional-dependencies"][extra] for extra in USERS_EXTRAS}
    seen: set[str] = set()
    for extra, requirements in groups.items():
        for requirement in sorted(requirements, key=canonical):
            name, lowest = re.match(r"([\w.-]+)(?:\[.*\])?(?:>=([\w.]+))?", requirement).groups("")  # type: ignore[union-attr]
            if name != project["name"] and name not in seen:  # once, where it is first asked for
                seen.add(name)
                yield Dependency(name, lowest, extra)


def tested() -> dict[str, str]:
    """Versions that the tests run with, by canonical name."""
    lines = (DOCS.parent / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {canonical(name): version for name, version in pairs}


def canonical(name: str) -> str:
    """The one spelling of a library's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def cells() -> list[list[str]]:
    """A row a library, without its licence."""
    versions = tested()
    return [
        [
            f"{each.name} (`{each.extra}`)" if each.extra else each.name,
            each.lowest,
            versions.get(canonical(each.name), "by hand"),
            WHAT_FOR[each.name],
        ]
        for each in declared()
    ]


def table() -> str:
    """The table."""
    rows = []
    for each, (name, lowest, version, reason) in zip(declared(), cells(), strict=True):
        rows.append(f"| {name} | {lowest} | {version} | {_licence(each.name)} | {reason} |")
    return "\n".join([_HEAD, *rows])


def _licence(name: str) -> str:
    if name in _STATED:
        return _STATED[name]
    found = metadata.metadata(name)
    said = found.get("License-Expression") or (found.get("License") or "").strip().partition("\n")[0]
    if not said or len(said) > _LONGEST:
        kinds = [kind for kind in found.get_all("Classifier", []) if kind.startswith("License ::")]
        said = said or (kinds[0].rpartition(":: ")[2] if kinds else "")
    return said.removesuffix(" License").replace(" 3-Clause", "-3-Clause").replace("Apache 2.0", "Apache-2.0")


def _rows_of(page: str) -> list[list[str]]:
    inside = page.partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in inside.splitlines() if line[:1] == "|"]
    return [[*row[:3], row[4]] for row in rows[2:]]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    page = PAGE.read_text("utf-8")
    if parser.parse_args().check:
        sys.exit(0 if _rows_of(page) == cells() else "security.md names others: run python docs/make_dependencies.py")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
