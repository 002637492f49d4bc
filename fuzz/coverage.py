"""Coverage-guided fuzzing of one target with atheris (Linux; ``pip install 'napari-autofocus[fuzz]'``).

    python -m fuzz.coverage lens-curve -max_total_time=600

What follows the name goes to libFuzzer. Instrumenting takes a minute. Inputs that reach new code are kept in
``build/fuzz-corpus/<target>``; the first finding ends the run and is kept in ``build/fuzz/<target>``, where ``python -m
fuzz --replay`` takes it up.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["napari_autofocus"]):
    from fuzz.registry import TARGETS
    from fuzz.run import SMALL_PLANE
    from napari_autofocus.io.care import limits


class Found(Exception):
    """An input that does what none may do."""


def main() -> None:
    """Run the command line."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    limits.LARGEST_PLANE = SMALL_PLANE
    name, *options = sys.argv[1:]
    target = {each.name: each for each in TARGETS}[name]
    corpus, keep = Path("build/fuzz-corpus") / name, Path("build/fuzz") / name
    for folder in (corpus, keep):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:12]).write_bytes(seed)
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-")) / "here"

    def one(data: bytes) -> None:
        outcome = target.run(data, scratch)
        if outcome.ended == "found":
            (keep / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
            raise Found(f"{outcome.kind}: {outcome.what}")

    atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={keep}/", *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
