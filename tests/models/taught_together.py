"""What each of several processes runs: teach something small together, and leave the weights; or die on the way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from toys import SHORT, Toy

from napari_autofocus.errors import AutofocusError
from napari_autofocus.models.learning.distributed import PartDone, agree, is_main, joined, main_first, share_of
from napari_autofocus.models.training import train


def _teach(folder: Path, dies_after: int | None) -> None:
    with main_first():
        first = not (folder / "first").exists()
        (folder / "first").touch()
    assert first == is_main()
    assert agree({"rank": os.environ["RANK"]}) == {"rank": "0"}
    task, shares = Toy(), share_of(SHORT.batch)
    running = train(task, SHORT, folder / "run.safetensors", every=1)
    steps = 0
    while True:
        try:
            next(running)
        except StopIteration:
            break
        steps += 1
        if steps == dies_after and not is_main():
            os._exit(9)
    (folder / f"share-{os.environ['RANK']}").write_text(f"{shares.start}-{shares.stop}", encoding="utf-8")
    save_file(task.network.state_dict(), folder / f"end-{os.environ['RANK']}.safetensors")
    print("told")


def main() -> int:
    torch.set_num_threads(1)
    folder, dies_after = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None
    try:
        with joined():
            _teach(folder, dies_after)
    except PartDone:
        return 0
    except AutofocusError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
