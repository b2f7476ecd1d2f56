"""Start-up is a budget: modules loaded beyond bare Python, and heavy ones that fast commands never load."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest

MODULES_OF_VERSION = 30
MODULES_OF_HELP = 60
HEAVY = {
    "asyncio", "click", "concurrent.futures", "dataclasses", "inspect", "logging", "msgspec", "multiprocessing",
    "numpy", "pathlib", "pickle", "rich", "ruamel.yaml", "tempfile", "tomlkit", "tomllib",
    "typing_extensions", "zstandard",
}  # fmt: skip


@cache
def loaded(*words: str, cwd: str | None = None) -> frozenset[str]:
    """The modules in a Python process that ran `axil WORDS` (nothing, without words)."""
    call = f"from axil.cli.main import main\nmain({list(words)!r})\n" if words else ""
    code = f"import sys\n{call}sys.stdout.write('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True)
    return frozenset(done.stdout.splitlines()[-1].split())


def beyond_python(*words: str, cwd: str | None = None) -> set[str]:
    return set(loaded(*words, cwd=cwd) - loaded())


def test_version_loads_next_to_nothing():
    extra = beyond_python("--version")
    assert len(extra) <= MODULES_OF_VERSION, sorted(extra)
    assert "argparse" not in extra


def test_help_loads_no_command():
    extra = beyond_python("help")
    assert len(extra) <= MODULES_OF_HELP, sorted(extra)
    assert not {name for name in extra if name.startswith(("axil.cli.commands", "axil.actions", "axil.git"))}
    assert not extra & HEAVY


def test_a_command_loads_only_itself():
    extra = beyond_python("graph", "--help")
    assert {name for name in extra if name.startswith("axil.cli.commands.")} == {"axil.cli.commands.graph"}
    assert not {name for name in extra if name.startswith("axil.actions")}
    assert not extra & HEAVY


@pytest.mark.parametrize(
    "words", [("status",), ("runs",), ("runs", "--sort", "f1"), ("tree",), ("diff",)], ids=" ".join
)
def test_fast_commands_load_nothing_heavy(repo, words):
    repo.commit({"axil.toml": '[project]\nmetrics = { f1 = "max" }\n[stages.a]\ncmd = "true"\n'})
    # The first call fills the caches: what it parses is not parsed again.
    subprocess.run([sys.executable, "-m", "axil", *words], cwd=repo.path, check=True, capture_output=True)
    extra = beyond_python(*words, cwd=os.fspath(repo.path))
    assert not extra & HEAVY, sorted(extra & HEAVY)


def test_the_tracking_module_is_light():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, axil; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    extra = set(done.stdout.split()) - loaded()
    assert {name for name in extra if name.startswith("axil")} == {"axil"}
    assert len(extra) < 10, sorted(extra)
