"""axil.track tells how far it is, and is never in the way."""

from __future__ import annotations

import io

import pytest

import axil
from axil.tracking.bar import Bar
from axil.tracking.steps import loops


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_short_loop_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(axil.track([3, 4])) == [3, 4]
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out, clock = Terminal(), Clock()
    bar = Bar("epoch", 4, out, clock)
    for _ in range(4):
        clock.now += 2
        bar.step()
    bar.close()
    shown = out.getvalue()
    assert "\repoch 1/4 [######                  ] 2 s each, 6 s left\x1b[K" in shown
    assert shown.endswith("epoch 4/4 [########################] 2 s each\x1b[K\n")


def test_lines_now_and_then_elsewhere() -> None:
    out, clock = io.StringIO(), Clock()
    bar = Bar("", None, out, clock)
    for _ in range(100):
        clock.now += 1
        bar.step()
    bar.close()
    assert out.getvalue().splitlines() == ["step 30, 1/s", "step 60, 1/s", "step 90, 1/s", "step 100, 1/s"]


def test_a_broken_stderr_does_not_matter() -> None:
    clock = Clock()
    out = io.StringIO()
    bar = Bar("", 3, out, clock)
    out.close()
    clock.now = 100
    bar.step()
    bar.close()


def test_len_and_total() -> None:
    assert len(axil.track(range(7))) == 7  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        len(axil.track(iter("ab"), total=2))  # type: ignore[arg-type]


def test_the_step_is_there_inside_and_gone_after() -> None:
    def steps() -> list[int]:
        return [loop.step for loop in loops.stack]

    for _ in axil.track("ab", start=3):
        for _ in axil.track("x"):
            assert steps() in ([3, 0], [4, 0])
        break
    assert steps() == []
    for outer in axil.track(range(3)):
        for _ in axil.track(range(3)):
            pass
        assert steps() == [outer]
    with pytest.raises(ValueError, match="stop"):
        for _ in axil.track("ab"):
            raise ValueError("stop")
    assert steps() == []
    left = iter(axil.track("ab"))
    next(left)
    assert list(axil.track("cd")) == ["c", "d"]
    del left
    assert steps() == []
