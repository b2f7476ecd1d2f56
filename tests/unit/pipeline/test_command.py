"""Command lines: which words can be code."""

from __future__ import annotations

import pytest

from axil.pipeline.command import Named, named, words


def test_words_are_split_as_a_shell_does():
    assert words(r"""a "b c" 'd"e' f\ g > h 2>&1|tee i&&echo "q\"u\n" """) == [
        "a", "b c", 'd"e', "f g", ">", "h", "2", ">&", "1", "|", "tee", "i", "&&", "echo", 'q"u\\n',
    ]  # fmt: skip
    assert words("a\\\n b") == ["a", "b"]
    assert words("it's") == ["it", "s"]


def paths(command: str) -> list[str]:
    return [thing.text for thing in named(command) if thing.kind == "path"]


@pytest.mark.parametrize(
    "command",
    [
        "python train.py > log.txt",
        "python train.py 2>> log.txt",
        "python train.py | tee log.txt",
        "python train.py -o log.txt",
        "python train.py --out log.txt",
        "python train.py --output-file=log.txt",
        "python train.py --log_dir log.txt",
        "python train.py --model-out log.txt",
    ],
)
def test_what_a_command_writes_is_not_code(command: str):
    assert "train.py" in paths(command)
    assert "log.txt" not in paths(command)


def test_what_only_looks_like_an_output_is_kept():
    assert paths("python train.py --config=c.yaml --timeout x --logic y") == ["python", "train.py", "c.yaml", "x", "y"]


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("python -m pkg.mod", "pkg.mod"),
        ("python3 -u -m pkg.mod x", "pkg.mod"),
        ("python -um pkg", "pkg"),
        ("python -mpkg.mod", "pkg.mod"),
        ("uv run --with x python -m pkg", "pkg"),
        ("torchrun --nproc 2 -m pkg.train", "pkg.train"),
        ("accelerate launch --module pkg.train", "pkg.train"),
    ],
)
def test_modules(command: str, module: str):
    assert Named("module", module) in named(command)


def test_environment_folders_and_inline_code():
    assert named("A=1 PYTHONPATH=src:$X:lib python x.py; cd sub && python -c 'import a'") == [
        Named("pythonpath", "src"),
        Named("pythonpath", "lib"),
        Named("path", "python"),
        Named("path", "x.py"),
        Named("path", "cd"),
        Named("folder", "sub"),
        Named("path", "python"),
        Named("code", "import a"),
    ]
