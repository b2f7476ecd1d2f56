"""What import-linter cannot see: which modules may start processes, print, or look at the world around them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "axil"
FACES = ("cli", "demo", "integrations", "tracking")
"""May print, exit and read the environment: they talk to people, or run inside the user's own process."""
CHILD = "runs/trace/"
"""Runs inside the user's Python process, not in axil's."""
STARTS_PROCESSES = ("git/process.py", "base/processes.py", "demo/teller.py")
RUNS_GIT = ("git/process.py", "demo/teller.py")
EXCEPTIONS = {
    "base/clock.py": "time.time",  # what everyone else is given
    "git/process.py": "os.environ",  # git inherits it, less what would lead it elsewhere
    "store/packs.py": "time.time_ns",  # compared with times that the file system wrote
}


def modules() -> list[str]:
    return sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


def below_the_faces() -> list[str]:
    return [name for name in modules() if name.split("/")[0] not in (*FACES, "__main__.py") and CHILD not in name]


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an expression, or "" if it is not a plain name."""
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what) of every forbidden use in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in ("print", "input", "exit", "quit", "sys.exit"):
                yield node.lineno, f"calls {name}()"
            if name.endswith((".expanduser", "Path.home", "datetime.now", "datetime.utcnow", "os.getcwd")):
                yield node.lineno, f"calls {name}()"
        if isinstance(node, ast.Raise) and node.exc is not None and dotted(node.exc) == "SystemExit":
            yield node.lineno, "raises SystemExit"
        if isinstance(node, ast.Attribute) and dotted(node) in ("os.environ", "os.getenv", "sys.stdout", "sys.stderr"):
            yield node.lineno, f"uses {dotted(node)}"
        if isinstance(node, ast.Attribute) and dotted(node) in ("time.time", "time.time_ns"):
            yield node.lineno, f"uses {dotted(node)}"


def parse(name: str) -> ast.Module:
    return ast.parse((SOURCE / name).read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


def git_commands(tree: ast.AST) -> Iterator[int]:
    """The lines where a list that begins with "git" is given to a call."""
    for call in ast.walk(tree):
        for argument in call.args if isinstance(call, ast.Call) else ():
            first = argument.elts[:1] if isinstance(argument, (ast.List, ast.Tuple)) else []
            if any(isinstance(word, ast.Constant) and word.value == "git" for word in first):
                yield argument.lineno


@pytest.mark.parametrize("name", below_the_faces())
def test_only_faces_print_exit_or_read_the_world(name: str) -> None:
    """Everything else is given a clock, settings and a progress object by its caller."""
    allowed = f"uses {EXCEPTIONS.get(name)}"
    found = [f"{name}:{line} {what}" for line, what in uses(parse(name)) if what != allowed]
    assert not found


@pytest.mark.parametrize("name", modules())
def test_processes_are_started_in_two_places(name: str) -> None:
    if name in STARTS_PROCESSES or CHILD in name:
        return
    starting = ("subprocess", "axil.base.spawn")
    found = [f"{name}:{line} imports {module}" for line, module in imports(parse(name)) if module in starting]
    assert not found


@pytest.mark.parametrize("name", modules())
def test_git_is_run_in_one_place(name: str) -> None:
    """A command line that begins with "git" appears only where git is run."""
    if name in RUNS_GIT:
        return
    found = [f"{name}:{line}" for line in git_commands(parse(name))]
    assert not found


def test_the_checks_find_what_they_look_for() -> None:
    source = "import subprocess\nprint(1)\nos.environ['X']\ntime.time()\nraise SystemExit\nrun(['git', x])\n"
    tree = ast.parse(source)
    assert sorted(line for line, _ in uses(tree)) == [2, 3, 4, 5]
    assert [module for _, module in imports(tree)] == ["subprocess"]
    assert list(git_commands(tree)) == [6]
