"""`axil.log_figure`, `log_image`, `log_table`, `log_artifact`: files in the run's folder, `artifacts/<stage>/NAME`.

Each is written beside and renamed, so a killed process leaves it whole or not at all. None of these raises.
"""

from __future__ import annotations

import contextlib
import os

from axil.tracking import run

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

HALF = "artifacts.new"
"""Where things are while they are written; beside `artifacts`, so that nothing half-written is ever taken for one."""
_LONGEST = 240
"""Bytes of a name's part; a file system takes 255, and an ending and a step may be added."""


def log_figure(name: str, figure: Any, *, step: int | None = None) -> None:
    """Keep a figure: of matplotlib as PNG (anything with `.savefig`), of plotly as HTML (`.write_html`)."""
    if hasattr(figure, "savefig"):
        _keep("axil.log_figure", name, step, ".png", lambda path: figure.savefig(path, format="png"))
    elif hasattr(figure, "write_html"):
        _keep("axil.log_figure", name, step, ".html", lambda path: figure.write_html(path, include_plotlyjs="cdn"))
    else:
        run.warn(f"could not keep figure {name!r}: {type(figure).__name__} has neither savefig nor write_html")


def log_image(name: str, image: Any, *, step: int | None = None) -> None:
    """Keep an image: a PIL image or an array (H×W, H×W×3 …, bytes or 0 to 1) as PNG, or a file as it is."""
    from axil.tracking.png import encode

    if isinstance(image, str | os.PathLike):
        ending = os.path.splitext(os.fspath(image))[1]
        _keep("axil.log_image", name, step, ending, lambda path: _copy_file(os.fspath(image), path))
    elif hasattr(image, "save"):
        _keep("axil.log_image", name, step, ".png", lambda path: image.save(path, format="PNG"))
    else:
        _keep("axil.log_image", name, step, ".png", lambda path: _write(path, encode(image)))


def log_table(name: str, table: Any, columns: Iterable[str] | None = None, *, step: int | None = None) -> None:
    """Keep a table as CSV: a data frame, rows (dictionaries, or lists with `columns`), or a dictionary of columns."""
    from axil.tracking.table import write

    _keep("axil.log_table", name, step, ".csv", lambda path: write(path, table, columns))


def log_artifact(path: str | os.PathLike[str], name: str = "", *, step: int | None = None) -> None:
    """Keep a copy of a file, or of a folder and all the files in it, as `name` (without one: its own name)."""
    try:
        source = os.path.abspath(os.fspath(path))
    except Exception as error:
        run.warn(f"could not keep artifact {path!r}: {error}")
        return
    called = name or os.path.basename(source)
    if os.path.isdir(source):
        _keep("axil.log_artifact", called, step, "", lambda to: _copy_folder(source, to))
    else:
        ending = os.path.splitext(source)[1] if step is not None else ""
        _keep("axil.log_artifact", called, step, ending, lambda to: _copy_file(source, to))


def _keep(call: str, name: str, step: int | None, ending: str, write: Callable[[str], object]) -> None:
    """Have `write` make a file or folder, and give it its name."""
    try:
        folder = run.folder()
        if not folder:
            run.outside(call)
            return
        target = os.path.join(folder, "artifacts", _place(run.stage() or "run"), _place(name, step, ending))
        half = os.path.join(folder, HALF, f"{os.getpid()}-{os.urandom(6).hex()}")
        os.makedirs(os.path.join(folder, HALF), exist_ok=True)
        try:
            write(half)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _move(half, target)
        finally:
            _remove(half)
    except Exception as error:
        run.warn(f"could not keep {name!r}: {error}", about=f"{call} {name!r} {type(error).__name__}")


def _place(name: str, step: int | None = None, ending: str = "") -> str:
    """The path for `name`, which may have folders: `val/confusion` + `.png`, at a step `val/confusion/7.png`.

    Raises `ValueError` for a name that could lead elsewhere or that nobody could type.
    """
    parts = str(name).split("/")
    for part in parts:
        if part in ("", ".", "..") or not part.isprintable() or "\\" in part or part.lower() == ".git":
            raise ValueError(f"{part!r} cannot be part of its name")
        if len(part.encode()) > _LONGEST:
            raise ValueError("its name is too long")
    if step is not None:
        parts.append(str(int(step)))
    return os.path.join(*parts) if parts[-1].endswith(ending) else os.path.join(*parts) + ending


def _move(source: str, target: str) -> None:
    """Put `source` in place of what is at `target`; a folder there goes aside first."""
    if os.path.isdir(target) and not os.path.islink(target):
        aside = f"{source}.old"
        os.rename(target, aside)
        try:
            os.rename(source, target)
        except BaseException:
            os.rename(aside, target)
            raise
        _remove(aside)
    else:
        os.replace(source, target)


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        if os.path.isdir(path) and not os.path.islink(path):
            import shutil

            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _copy_file(source: str, target: str) -> None:
    import shutil

    if not os.path.isfile(source):  # a pipe would be read for ever
        raise ValueError(f"{source} is no file" if os.path.exists(source) else f"{source} does not exist")
    shutil.copyfile(source, target)
    if os.access(source, os.X_OK):
        os.chmod(target, 0o755)


def _copy_folder(source: str, target: str) -> None:
    """Copy the files in `source`; links and what is no file are left out and named once."""
    os.mkdir(target)
    left_out = []
    with os.scandir(source) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            inner = os.path.join(target, entry.name)
            if entry.is_dir(follow_symlinks=False):
                _copy_folder(entry.path, inner)
            elif entry.is_file(follow_symlinks=False):
                _copy_file(entry.path, inner)
            else:
                left_out.append(entry.name)
    if left_out:
        run.warn(f"left out of {source}, because they are no files: {', '.join(left_out[:5])}")
