"""The words of Weights & Biases for scripts that come from there: `import axil.integrations.wandb as wandb`.

Metrics go to the run's series, config to its logged params, media and files to its artifacts. Nothing leaves the
machine. What a script may use and is not here raises `AttributeError` when it is used, naming it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from axil import tracking
from axil.integrations import common
from axil.integrations.common import harmless, warn
from axil.integrations.wandb_media import Audio, Histogram, Html, Image, Table, Video, log_media

__all__ = [
    "Artifact",
    "Audio",
    "Config",
    "Histogram",
    "Html",
    "Image",
    "Run",
    "Settings",
    "Summary",
    "Table",
    "Video",
    "alert",
    "config",
    "define_metric",
    "finish",
    "init",
    "log",
    "login",
    "run",
    "save",
    "summary",
    "watch",
]  # fmt: skip


class _Values(MutableMapping[str, Any]):
    """A mapping that does more when a value is set."""

    _values: dict[str, Any]

    def __init__(self) -> None:
        object.__setattr__(self, "_values", {})  # Not an attribute that a script set.

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __delitem__(self, key: str) -> None:
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Config(_Values):
    """`wandb.config`: by key or attribute; what is set is logged as params."""

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self._values:
            raise AttributeError(f"wandb.config has no {name!r}")
        return self._values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def update(self, values: Any = (), /, allow_val_change: bool = True, **more: Any) -> None:
        """Set many at once (a mapping, a namespace of argparse, pairs)."""
        found = {**dict(vars(values) if hasattr(values, "__dict__") and not _is_mapping(values) else values), **more}
        self._values.update(found)
        tracking.log_params(found)

    def setdefaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Set those that are not set yet."""
        self.update({key: value for key, value in values.items() if key not in self._values})
        return dict(self._values)

    def as_dict(self) -> dict[str, Any]:
        """A copy as a plain dictionary."""
        return dict(self._values)


class Summary(_Values):
    """`run.summary`: numbers that are set become metrics, the rest logged params. Holds what was logged last, too."""

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value
        if common.number(value) is not None:
            common.log({key: value})
        else:
            tracking.log_params({f"summary.{key}": value})

    def see(self, values: Mapping[str, Any]) -> None:
        """Remember what was logged."""
        self._values.update(values)


class Artifact:
    """Files under one name; handed over by `log_artifact`."""

    def __init__(self, name: str, type: str = "", description: str = "", metadata: Any = None, **more: Any) -> None:
        self.name = name
        self.type = type
        self.metadata = metadata or {}
        self._paths: list[tuple[str, str]] = []

    def add_file(self, local_path: str | os.PathLike[str], name: str | None = None, **more: Any) -> None:
        """Add one file."""
        path = os.fspath(local_path)
        self._paths.append((path, f"{self.name}/{name or os.path.basename(path)}"))

    def add_dir(self, local_path: str | os.PathLike[str], name: str | None = None, **more: Any) -> None:
        """Add a folder."""
        self._paths.append((os.fspath(local_path), f"{self.name}/{name}" if name else self.name))

    def hand_over(self) -> None:
        """Make them artifacts of the run."""
        for path, name in self._paths:
            common.keep(path, name)


class Settings:
    """Takes any setting, and none has a meaning here."""

    def __init__(self, *args: Any, **more: Any) -> None:
        pass


class Run:
    """What `init` returns, and `wandb.run`."""

    def __init__(self) -> None:
        self.id = os.environ.get("AXIL_RUN", "")
        self.name = os.environ.get("AXIL_EXPERIMENT", "") or self.id
        self.project = self.entity = self.group = self.notes = ""
        self.url = self.dir = ""
        self.tags: tuple[str, ...] = ()
        self.config = Config()
        self.summary = Summary()
        self.step = 0
        self._row: dict[str, Any] = {}
        self._steps_of: dict[str, str] = {}

    def log(
        self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: bool = True
    ) -> None:
        """Log a row. Without `step` each call is a step; with `commit=False` the row goes on with the next call."""
        self._log(data, step, commit)

    @harmless
    def _log(self, data: Mapping[str, Any], step: int | None, commit: bool | None) -> None:
        if step is not None and step != self.step:
            self._commit()
            self.step = int(step)
        self._row.update(data)
        if commit is None or commit:
            self._commit()
            # With a step of its own more of the same step may follow.
            self.step += step is None or bool(commit)

    def _commit(self) -> None:
        row, self._row = self._row, {}
        if not row:
            return
        found = common.numbers(row, "")
        self.summary.see(found)
        together: dict[float, dict[str, float]] = {}
        for name, value in found.items():
            step = found.get(self._steps_of.get(name, ""), self.step)
            together.setdefault(step, {})[name] = value
        for step, values in together.items():
            tracking.log(values, step=step)
        log_media(row, self.step)

    def define_metric(self, name: str, step_metric: str | None = None, **more: Any) -> None:
        """Give a metric (or, with `*` at the end, all whose names begin so) another one as its step."""
        if step_metric and name.endswith("*"):
            self._steps_of = _Prefixed(self._steps_of, name[:-1], step_metric)
        elif step_metric:
            self._steps_of[name] = step_metric

    @harmless
    def log_artifact(self, artifact: Any, name: str | None = None, type: str = "", **more: Any) -> Any:
        """Keep files with the run: an `Artifact`, or a path."""
        if isinstance(artifact, Artifact):
            artifact.hand_over()
        else:
            path = os.fspath(artifact)
            common.keep(path, name or os.path.basename(path))
        return artifact

    @harmless
    def save(self, glob_str: Any, base_path: str | None = None, policy: str = "") -> None:
        """Keep the files that a pattern finds."""
        import glob

        for path in sorted(glob.glob(os.fspath(glob_str))):
            common.keep(path, os.path.relpath(path, base_path) if base_path else os.path.basename(path))

    def watch(self, *models: Any, **more: Any) -> None:
        """Nothing: gradients are not logged."""
        warn("wandb.watch does nothing here: gradients are not logged")

    def alert(self, title: str = "", text: str = "", **more: Any) -> None:
        """Say it in the stage's log."""
        warn(f"{title}: {text}")

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """Write what is buffered."""
        self._finish()

    @harmless
    def _finish(self) -> None:
        global run
        self._commit()
        tracking.flush()
        if run is self:
            run = None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exc: object) -> None:
        self.finish()


class _Prefixed(dict[str, str]):
    """Names of step metrics, some for all names that begin alike."""

    def __init__(self, known: dict[str, str], prefix: str, step: str) -> None:
        super().__init__(known)
        self._prefixes = {**getattr(known, "_prefixes", {}), prefix: step}

    def get(self, name: str, default: Any = None) -> Any:
        if name in self:
            return self[name]
        return next((step for prefix, step in self._prefixes.items() if name.startswith(prefix)), default)


run: Run | None = None
config = Config()
summary = Summary()


def init(project: str | None = None, config: Any = None, **more: Any) -> Run:
    """Begin: `config` becomes logged params; where and how W&B would keep the run (project, entity …) means nothing."""
    global run, summary
    if more.get("mode") not in (None, "online", "offline", "disabled", "shared"):
        raise ValueError(f"wandb.init: mode {more['mode']!r} is not known")
    if run is not None and not more.get("reinit"):
        made = run
    else:
        made = run = Run()
    globals()["config"] = made.config
    summary = made.summary
    made.project = project or made.project
    made.name = more.get("name") or made.name
    made.group, made.tags, made.notes = more.get("group") or "", tuple(more.get("tags") or ()), more.get("notes") or ""
    if config:
        made.config.update(config)
    return made


def _here() -> Run:
    return run if run is not None else init()


def log(data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: bool = True) -> None:
    """See `Run.log`."""
    _here().log(data, step, commit)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """See `Run.finish`."""
    if run is not None:
        run.finish()


def define_metric(name: str, step_metric: str | None = None, **more: Any) -> None:
    """See `Run.define_metric`."""
    _here().define_metric(name, step_metric)


def log_artifact(artifact: Any, name: str | None = None, type: str = "", **more: Any) -> Any:
    """See `Run.log_artifact`."""
    return _here().log_artifact(artifact, name)


def save(glob_str: Any, base_path: str | None = None, policy: str = "") -> None:
    """See `Run.save`."""
    _here().save(glob_str, base_path)


def watch(*models: Any, **more: Any) -> None:
    """See `Run.watch`."""
    _here().watch()


def alert(title: str = "", text: str = "", **more: Any) -> None:
    """See `Run.alert`."""
    _here().alert(title, text)


def login(*args: Any, **more: Any) -> bool:
    """Nothing: there is nowhere to log in to."""
    return True


def _is_mapping(value: Any) -> bool:
    return hasattr(value, "keys")


def __getattr__(name: str) -> Any:
    raise AttributeError(f"axil.integrations.wandb has no {name!r}: see docs/how-to/integrations.md for what it has")
