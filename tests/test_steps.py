"""Work that is a generator: run to its end, or as a part of other work."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from napari_autofocus.steps import relay, run_to_end


class Work:
    """Three steps, and whether it was tidied up."""

    def __init__(self) -> None:
        self.tidied = False

    def __call__(self) -> Generator[int, None, str]:
        try:
            yield from (1, 2, 3)
            return "done"
        finally:
            self.tidied = True


def test_work_is_run_to_its_end_and_every_step_is_told() -> None:
    heard: list[int] = []
    assert run_to_end(Work()(), heard.append) == "done"
    assert heard == [1, 2, 3]
    assert run_to_end(Work()()) == "done"


def test_work_is_tidied_up_when_whoever_listens_fails() -> None:
    def fail(step: int) -> None:
        raise ValueError(step)

    work = Work()
    with pytest.raises(ValueError, match="1"):
        run_to_end(work(), fail)
    assert work.tidied


def test_relayed_work_tells_its_steps_in_other_words_and_returns_its_result() -> None:
    heard: list[str] = []
    assert run_to_end(relay(Work()(), lambda step: None if step == 2 else f"step {step}"), heard.append) == "done"
    assert heard == ["step 1", "step 3"]


def test_closing_relayed_work_closes_the_work_inside() -> None:
    work = Work()
    outer = relay(work(), str)
    assert next(outer) == "1"
    outer.close()
    assert work.tidied
