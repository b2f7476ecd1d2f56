"""axil.toml: stages, metrics, remotes and settings of a project (docs/formats/axil-toml.md).

Everything a clone brings is checked here: unknown keys, types, names, and that no path leaves the project.
`dump`/`load` hold the parsed value as JSON, so that the fast commands need no TOML parser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from axil.base.light import Any, NamedTuple
from axil.base.quickjson import loads
from axil.errors import BadInput

FILE = "axil.toml"
CACHE_KIND = "project-5"
"""Changes whenever `dump` or the rules of `parse` change, so that an old cache entry is never read."""
MOST_RETRIES, MOST_GPUS = 1000, 1024
LINKS = ("auto", "copy", "reflink", "hardlink")
RESERVED = frozenset({".git", ".axil"})
_STAGE_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,99}"
_ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


class Stage(NamedTuple):
    """One node of the pipeline. Paths are project paths, whatever `cwd` is."""

    name: str
    cmd: str
    deps: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    """Dotted keys of the params file; a key with children takes the whole subtree."""
    outs: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    """Outputs that grow while the command runs and hold values over steps; they are read meanwhile."""
    keep: tuple[str, ...] = ()
    """The outputs that are not removed before the command runs (`keep = true` means all)."""
    cwd: str = ""
    """Where the command runs; "" is the project root."""
    env: tuple[str, ...] = ()
    """Names of environment variables whose values count as inputs."""
    always: bool = False
    timeout: float = 0.0
    """Seconds after which the command is ended and the stage has failed; 0: it may take as long as it likes."""
    retry: int = 0
    """How many times a failed command is started again."""
    gpus: int = 0
    """Accelerators the command needs."""
    checkpoint: tuple[str, ...] = ()
    """Where the command keeps what it can go on from: no outputs, saved when the stage is cut off."""
    line: int = 0
    """Line of `[stages.NAME]` in axil.toml, 0 if not known."""

    @property
    def made(self) -> tuple[str, ...]:
        """Every path the stage makes: outs, metrics, plots and series, in this order."""
        return self.outs + self.metrics + self.plots + self.series


class ProjectFile(NamedTuple):
    """What axil.toml says, with defaults filled in."""

    name: str = ""
    metrics: dict[str, str] = {}
    """Metric -> "max" or "min"; the first one is the headline."""
    stages: dict[str, Stage] = {}
    remotes: dict[str, dict[str, Any]] = {}
    """Name -> settings, no secrets among them: those are in axil.local.toml (`load_remotes`)."""
    link: str = "auto"
    strict_env: bool = False
    name_pattern: str = ""
    """Regular expression an experiment's whole name must match; "" allows all."""
    params_file: str = ""
    """Project path of the params file; "" means: find params.yaml, .yml, .toml or .json."""
    seed: str = ""
    """The parameter that replicates set; "" means: `seed`, or the only key that ends in `.seed`."""

    @property
    def headline(self) -> str:
        """The metric that experiments are judged by, or ""."""
        return next(iter(self.metrics), "")


MADE = ("outs", "metrics", "plots", "series")
"""The keys of a stage that list what it makes."""
TABLES: dict[str, tuple[str, ...]] = {
    "project": ("name", "metrics", "params", "seed"),
    "experiments": ("names",),
    "store": ("link",),
    "env": ("strict",),
    "stages": (
        "cmd",
        "deps",
        "params",
        *MADE,
        "keep",
        "cwd",
        "env",
        "always",
        "timeout",
        "retry",
        "resources",
        "checkpoint",
    ),
    "remotes": (),  # any name; formats/remotes.py
}


def parse(text: str, source: str = FILE) -> ProjectFile:
    """The project file in `text`.

    Raises `BadInput` naming `source`, line and key for broken TOML, unknown keys, wrong types, empty commands,
    paths outside the project, bad names and outputs given twice.
    """
    import tomllib

    from axil.formats import toml_lines

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{source} is not valid TOML", str(error), f"correct {source} and try again") from None
    except RecursionError:
        raise BadInput(f"{source} is not valid TOML", "it is nested too deeply", f"correct {source}") from None
    return Reader(source, toml_lines.locate(text)).project(data)


def dump(project: ProjectFile) -> bytes:
    """`project` as JSON bytes, for a cache of this machine (not a format others read)."""
    import json

    return json.dumps([list(project.stages.values()), project._replace(stages={})]).encode()


def load(data: bytes) -> ProjectFile:
    """What `dump` wrote. Raises `ValueError` or `TypeError` if it is something else."""
    rows, rest = loads(data)
    values: list[list[Any]] = [[tuple(item) if isinstance(item, list) else item for item in row] for row in rows]
    stages = [Stage(*row) for row in values]
    return ProjectFile(*rest)._replace(stages={stage.name: stage for stage in stages})


def check_path(path: str) -> str:
    """`path` in its one spelling (no leading ./, no trailing /). Raises `ValueError` saying what is wrong."""
    if not path.strip():
        raise ValueError("it is empty")
    if any(ord(char) < 32 for char in path):
        raise ValueError("it has control characters")
    if path.startswith(("/", "~", "\\\\")) or path[1:3] in (":\\", ":/"):
        raise ValueError("it is absolute, and a path must lie inside the project")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("it has `..`, and a path must be written from the project's root")
    if not parts:
        raise ValueError("it is the project itself")
    if parts[0].lower() in RESERVED or ".git" in (part.lower() for part in parts):
        raise ValueError(f"{parts[0]} belongs to git or axil")
    return "/".join(parts)


def check_stage_name(name: str) -> None:
    """Raises `ValueError` unless `name` can name a stage (it is also used in file names)."""
    import re

    if not re.fullmatch(_STAGE_NAME, name):
        raise ValueError("a stage's name has letters, digits, `_`, `-`, `.` and `@`, and starts with a letter or digit")


def suggest(name: str, known: Iterable[str]) -> str:
    """A "did you mean" hint for `name`, or "" if nothing known is close."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(f'`{other}`' for other in close)}?" if close else ""


def written(stage: Stage) -> dict[str, Any]:
    """The keys of `stage` that are not defaults, in the order of the documentation."""
    values: dict[str, Any] = {"cmd": stage.cmd}
    for key in ("deps", "params", *MADE):
        if items := getattr(stage, key):
            values[key] = list(items)
    if stage.keep:
        values["keep"] = True if stage.keep == stage.made else list(stage.keep)
    if stage.cwd:
        values["cwd"] = stage.cwd
    if stage.env:
        values["env"] = list(stage.env)
    if stage.always:
        values["always"] = True
    if stage.timeout:
        from axil.formats.span import written_span

        values["timeout"] = written_span(stage.timeout)
    if stage.retry:
        values["retry"] = stage.retry
    if stage.gpus:
        values["resources"] = {"gpus": stage.gpus}
    if stage.checkpoint:
        values["checkpoint"] = stage.checkpoint[0] if len(stage.checkpoint) == 1 else list(stage.checkpoint)
    return values


class Reader:
    """Checks the parsed TOML value; knows where each key stands, for messages."""

    def __init__(self, source: str, lines: Mapping[tuple[str, ...], int]) -> None:
        self.source = source
        self.lines = lines

    def line(self, where: tuple[str, ...]) -> int:
        """Line of the key `where`, or of the nearest table around it; 0 if none is known."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 0)

    def bad(self, where: tuple[str, ...], why: str, hint: str = "") -> BadInput:
        """The error to raise about the key `where`."""
        line = self.line(where)
        place = f"{self.source} line {line}" if line else self.source
        return BadInput(f"{place}: `{'.'.join(where)}` is wrong", why, hint or f"correct {self.source} and try again")

    def project(self, data: dict[str, Any]) -> ProjectFile:
        self.known((), data, tuple(TABLES))
        for name in TABLES:
            self.table((name,), data.get(name, {}))
        for name in ("project", "experiments", "store", "env"):
            self.known((name,), data.get(name, {}), TABLES[name])
        project = data.get("project", {})
        params_file = self.text(("project", "params"), project.get("params", ""))
        return ProjectFile(
            name=self.text(("project", "name"), project.get("name", "")),
            metrics=self.metrics(project.get("metrics", {})),
            stages={name: self.stage(name, value) for name, value in data.get("stages", {}).items()},
            remotes=self.remotes(data.get("remotes", {})),
            link=self.choice(("store", "link"), data.get("store", {}).get("link", "auto"), LINKS),
            strict_env=self.flag(("env", "strict"), data.get("env", {}).get("strict", False)),
            name_pattern=self.pattern(("experiments", "names"), data.get("experiments", {}).get("names", "")),
            params_file=self.path(("project", "params"), params_file) if params_file else "",
            seed=self.text(("project", "seed"), project.get("seed", "")),
        )

    def stage(self, name: str, value: Any) -> Stage:
        where = ("stages", name)
        try:
            check_stage_name(name)
        except ValueError as error:
            raise self.bad(where, str(error)) from None
        self.table(where, value)
        self.known(where, value, TABLES["stages"])
        if "cmd" not in value:
            raise self.bad(where, "the stage has no `cmd`", 'add the command to run: cmd = "python train.py"')
        cmd = self.text((*where, "cmd"), value["cmd"]).strip()
        if not cmd or "\0" in cmd:
            raise self.bad((*where, "cmd"), "the command is empty", 'write the command to run: cmd = "python train.py"')
        made = {key: self.paths((*where, key), value.get(key, [])) for key in MADE}
        every = self.once(where, made)
        cwd = self.text((*where, "cwd"), value.get("cwd", ""))
        left = value.get("checkpoint", [])
        return Stage(
            name,
            cmd,
            deps=self.paths((*where, "deps"), value.get("deps", [])),
            params=self.texts((*where, "params"), value.get("params", [])),
            keep=self.keep((*where, "keep"), value.get("keep", False), every),
            cwd="" if cwd in ("", ".", "./") else self.path((*where, "cwd"), cwd),
            env=self.env_names((*where, "env"), value.get("env", [])),
            always=self.flag((*where, "always"), value.get("always", False)),
            timeout=self.span((*where, "timeout"), value.get("timeout")),
            retry=self.number((*where, "retry"), value.get("retry", 0), MOST_RETRIES),
            gpus=self.resources((*where, "resources"), value.get("resources", {})),
            checkpoint=self.paths(
                (*where, "checkpoint"), [left] if isinstance(left, str) else left, "one path or a list"
            ),
            line=self.line(where),
            **made,
        )

    def once(self, where: tuple[str, ...], made: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """All paths of `made`; refuses one that is given twice."""
        seen: dict[str, str] = {}
        for key, paths in made.items():
            for path in paths:
                if path in seen:
                    other = f"also in `{seen[path]}`" if seen[path] != key else "there twice"
                    raise self.bad((*where, key), f"{path} is {other}", "name each output once")
                seen[path] = key
        return tuple(seen)

    def keep(self, where: tuple[str, ...], value: Any, made: tuple[str, ...]) -> tuple[str, ...]:
        if isinstance(value, bool):
            return made if value else ()
        paths = self.paths(where, value, "true, false or a list of outputs")
        for path in paths:
            if path not in made:
                raise self.bad(where, f"{path} is not an output of this stage", suggest(path, made))
        return paths

    def resources(self, where: tuple[str, ...], value: Any) -> int:
        self.table(where, value, "a table like { gpus = 1 }")
        self.known(where, value, ("gpus",))
        return self.number((*where, "gpus"), value.get("gpus", 0), MOST_GPUS)

    def span(self, where: tuple[str, ...], value: Any) -> float:
        if value is None:
            return 0.0
        from axil.formats.span import parse_span

        try:
            return parse_span(value)
        except ValueError as error:
            raise self.bad(where, str(error)) from None

    def number(self, where: tuple[str, ...], value: Any, most: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise self.bad(where, f"it must be a whole number from 0 to {most}, not {value!r}")
        return value

    def env_names(self, where: tuple[str, ...], value: Any) -> tuple[str, ...]:
        import re

        names = self.texts(where, value)
        for name in names:
            if not re.fullmatch(_ENV_NAME, name):
                why = f"{name.split('=')[0]!r} is not the name of an environment variable"
                raise self.bad(where, why, "give names only; values stay outside axil.toml")
        return names

    def metrics(self, value: Any) -> dict[str, str]:
        where = ("project", "metrics")
        self.table(where, value, 'a table like { f1 = "max", loss = "min" }')
        return {name: self.choice((*where, name), way, ("max", "min")) for name, way in value.items()}

    def remotes(self, value: dict[str, Any]) -> dict[str, dict[str, Any]]:
        if not value:
            return {}
        from axil.formats import remotes

        return {name: remotes.shared(self, name, settings) for name, settings in value.items()}

    def known(self, where: tuple[str, ...], table: Mapping[str, Any], keys: tuple[str, ...]) -> None:
        for key in table:
            if key not in keys:
                place = f"[{'.'.join(where)}]" if where else "the file"
                hint = suggest(key, keys) or f"{place} may have: {', '.join(keys)}"
                raise self.bad((*where, key), f"unknown key `{key}` in {place}", hint)

    def table(self, where: tuple[str, ...], value: Any, wanted: str = "a table") -> None:
        if not isinstance(value, dict):
            raise self.bad(where, f"it must be {wanted}, not {_kind(value)}")

    def text(self, where: tuple[str, ...], value: Any) -> str:
        if not isinstance(value, str):
            raise self.bad(where, f"it must be a string, not {_kind(value)}")
        return value

    def flag(self, where: tuple[str, ...], value: Any) -> bool:
        if not isinstance(value, bool):
            raise self.bad(where, f"it must be true or false, not {_kind(value)}")
        return value

    def choice(self, where: tuple[str, ...], value: Any, choices: tuple[str, ...]) -> str:
        if value not in choices:
            wanted = " or ".join(f'"{choice}"' for choice in choices)
            raise self.bad(where, f"it must be {wanted}, not {value!r}")
        return str(value)

    def texts(self, where: tuple[str, ...], value: Any, wanted: str = "a list of strings") -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.bad(where, f"it must be {wanted}, not {_kind(value)}", 'write it as ["one", "two"]')
        if "" in value:
            raise self.bad(where, "it has an empty string")
        return tuple(dict.fromkeys(value)) if where[-1] not in MADE else tuple(value)

    def path(self, where: tuple[str, ...], value: str) -> str:
        try:
            return check_path(value)
        except ValueError as error:
            raise self.bad(where, f"the path {value!r} cannot be used: {error}") from None

    def paths(self, where: tuple[str, ...], value: Any, wanted: str = "a list of paths") -> tuple[str, ...]:
        return tuple(self.path(where, item) for item in self.texts(where, value, wanted))

    def pattern(self, where: tuple[str, ...], value: Any) -> str:
        import re

        text = self.text(where, value)
        try:
            re.compile(text)
        except re.error as error:
            raise self.bad(where, f"it is not a regular expression: {error}") from None
        return text


def _kind(value: Any) -> str:
    """What `value` is called in TOML."""
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return "a list with other things than strings"
    names = {bool: "true/false", str: "a string", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(value), "a date")
