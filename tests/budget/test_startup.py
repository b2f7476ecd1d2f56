"""Start-up is a budget: modules loaded beyond bare Python, and heavy ones that fast commands never load."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache

import pytest

MODULES_OF_VERSION = 8
MODULES_OF_HELP = 40
OWN_MODULES_OF_STATUS = 70
"""What `axil status` loads of axil where nothing has changed; each takes about 0.2 ms."""
OTHER_MODULES_OF_STATUS = 32
"""… and of all others."""
COSTLY = {"argparse", "importlib", "json", "re", "subprocess", "threading", "typing"}
"""What each takes as long to load as a third of Python's start; the quick commands do without."""
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


PROJECT = {
    "axil.toml": """
[project]
metrics = { f1 = "max" }

[stages.prepare]
cmd = "cat data/*.txt > all.txt"
deps = ["data"]
outs = ["all.txt"]

[stages.train]
cmd = "python train.py --data all.txt --out 'model.txt'"
deps = ["all.txt"]
params = ["lr"]
outs = ["model.txt"]
metrics = ["metrics.json"]
""",
    "params.yaml": "lr: 0.1\n",
    "train.py": "open('model.txt', 'w').write('m')\nopen('metrics.json', 'w').write('{\"f1\": 0.5}')\n",
    "data/a.txt": "a",
    "data/b.txt": "b",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small project in which everything has run: its folder."""
    root = tmp_path_factory.mktemp("finished")
    for name, content in PROJECT.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(content)
    axil = [sys.executable, "-m", "axil"]
    for command in (
        ["git", "init", "-q"],
        ["git", "config", "user.name", "Ada"],
        ["git", "config", "user.email", "ada@example.org"],
        [*axil, "add", "data"],
        ["git", "add", "-A"],
        ["git", "commit", "-q", "-m", "start"],
        [*axil, "run", "-q"],
        [*axil, "fork", "other"],
        [*axil, "status"],
    ):
        subprocess.run(command, cwd=root, check=True, capture_output=True)
    return os.fspath(root)


def test_status_without_changes_loads_little(finished):
    extra = beyond_python("status", cwd=finished)
    own = {name for name in extra if name.partition(".")[0] == "axil"}
    assert len(own) <= OWN_MODULES_OF_STATUS, sorted(own)
    assert len(extra - own) <= OTHER_MODULES_OF_STATUS, sorted(extra - own)


@pytest.mark.parametrize("command", ["status", "tree", "runs"])
def test_quick_commands_without_changes_load_nothing_costly(finished, command):
    extra = beyond_python(command, cwd=finished)
    assert not extra & (COSTLY | HEAVY), sorted(extra & (COSTLY | HEAVY))


def test_a_run_with_nothing_to_do_loads_no_records(finished):
    extra = beyond_python("run", "-q", cwd=finished)
    assert not extra & (HEAVY - {"typing_extensions"}), sorted(extra & HEAVY)


def test_a_remote_costs_status_next_to_nothing(finished, tmp_path):
    """What a remote has is looked up only where something is missing."""
    root = tmp_path / "shared"
    shutil.copytree(finished, root, symlinks=True)
    with open(root / "axil.toml", "a") as file:
        file.write('\n[remotes.origin]\nurl = "s3://bucket/prefix"\n')
    subprocess.run([sys.executable, "-m", "axil", "status"], cwd=root, check=True, capture_output=True)
    extra = beyond_python("status", cwd=os.fspath(root))
    assert not extra & (COSTLY | HEAVY), sorted(extra & (COSTLY | HEAVY))
    assert not {name for name in extra if name.startswith(("axil.transfer", "axil.remotes"))}
    assert extra - beyond_python("status", cwd=finished) <= {"axil.actions.sharing"}


def test_status_starts_git_three_times(finished):
    """The repository with HEAD and journal, the state of the work tree, the pointers: all else is known from there."""
    code = (
        "import axil.base.spawn as spawn; from axil.cli.main import main; start = spawn.Child.__init__; count = []\n"
        "def counted(*arguments): count.append(arguments); start(*arguments)\n"
        "spawn.Child.__init__ = counted; main(['status']); print(len(count))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=finished, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "3"


def test_the_tracking_module_is_light():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, axil; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    extra = set(done.stdout.split()) - loaded()
    assert {name for name in extra if name.startswith("axil")} == {"axil"}
    assert len(extra) < 10, sorted(extra)
