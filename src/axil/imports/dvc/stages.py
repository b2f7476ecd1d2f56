"""A stage of DVC, its templates written out, as a stage of axil, with remarks about what axil has no word for."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from axil.base.light import Any, NamedTuple
from axil.formats.params import Flat
from axil.formats.project import Stage, check_stage_name
from axil.imports.dvc.expand import DEFAULT_PARAMS, Resolved
from axil.imports.dvc.files import project_path
from axil.imports.dvc.interpolate import to_text

METRICS = (".json", ".yaml", ".yml", ".toml", ".csv", ".tsv")
_KNOWN = frozenset(
    {
        "cmd",
        "wdir",
        "deps",
        "params",
        "outs",
        "metrics",
        "plots",
        "always_changed",
        "frozen",
        "desc",
        "meta",
        "vars",
        "md5",
    }
)
_ALONE = re.compile(r"\s*(?:cd|export|set|unset|source|\.|exit|exec|eval|trap|umask|alias)(?:\s|$)")
_PLAIN = re.compile(r"[^;|&#\n(){}<>`\\]*(?:[<>]+[^;|&#\n(){}<>`\\]*)*")


class Params(NamedTuple):
    """The project's one params file: its project path ("" for none) and its flat keys."""

    path: str
    flat: Flat


class InGit:
    """What git has of the project."""

    def __init__(self, names: Iterable[str], links: Iterable[str]) -> None:
        """`names` are git's files, `links` those of them that are symbolic links."""
        self.names, self.links = frozenset(names), frozenset(links)
        self._folders = {
            "/".join(name.split("/")[:end]) for name in self.names for end in range(1, name.count("/") + 2)
        }

    def has(self, path: str) -> bool:
        """Whether `path` is in git, or something in it is."""
        return path in self._folders

    def link_above(self, path: str) -> str:
        """The link that `path` is or lies behind, or ""."""
        while path and path not in self.links:
            path = posixpath.dirname(path)
        return path


class Translated(NamedTuple):
    """A stage (None if it cannot be translated: the last remark says why) and what is to be said about it."""

    stage: Stage | None
    remarks: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    """For axil.toml, above the stage."""


class Untranslatable(ValueError):
    """Why a stage cannot be one of axil's."""


class _Stage:
    def __init__(self, resolved: Resolved, folder: str, params: Params, git: InGit) -> None:
        self.definition, self.params, self.git = resolved.definition, params, git
        self.remarks: list[str] = []
        try:
            self.cwd = project_path(folder, to_text(resolved.definition.get("wdir") or "."), root_ok=True)
        except ValueError as error:
            raise Untranslatable(f"wdir {resolved.definition.get('wdir')}: {error}") from None

    def paths(self, key: str) -> list[tuple[str, dict[str, Any]]]:
        """(project path, its options) of the entries under `key`; those outside the project are told about."""
        found = []
        for path, options in entries(self.definition.get(key)):
            try:
                found.append((project_path(self.cwd, path), options))
            except ValueError as error:
                self.remarks.append(f"left out of {key}: {path}: {error}")
        return found

    def outputs(self) -> tuple[dict[str, list[str]], list[str]]:
        """The paths for outs, metrics and plots, and those of them that are kept."""
        made: dict[str, list[str]] = {"outs": [], "metrics": [], "plots": []}
        keep: list[str] = []
        for key in made:
            for path, options in self.paths(key):
                if any(path in known for known in made.values()):
                    continue
                if link := self.git.link_above(path):
                    self.remarks.append(f"left out of {key}: {path}: {link} is a link, and axil writes through none")
                    continue
                place = "outs" if key == "metrics" and not is_metrics(path) else key
                if place != key:
                    self.remarks.append(f"{path} is an output only: axil reads numbers from JSON, YAML, TOML and CSV")
                made[place].append(path)
                if options.get("persist"):
                    keep.append(path)
                self._options(path, options)
        return made, keep

    def _options(self, path: str, options: Mapping[str, Any]) -> None:
        if options.get("checkpoint"):
            self.remarks.append(f"{path}: checkpoints do not exist in axil; log steps with axil.log instead")
        if options.get("remote"):
            self.remarks.append(f"{path}: its own remote ({options['remote']}) is not carried over")
        if options.get("push") is False:
            self.remarks.append(f"{path}: `push: false` is not carried over")
        drawn = [key for key in ("template", "x", "y", "x_label", "y_label", "title", "header") if key in options]
        if drawn:
            self.remarks.append(f"{path}: axil draws tables by itself; not carried over: {', '.join(drawn)}")

    def parameters(self) -> tuple[list[str], list[str]]:
        """Keys of the project's params file, and other params files, which become deps."""
        keys: list[str] = []
        files: list[str] = []
        items = self.definition.get("params") or []
        for item in items if isinstance(items, list) else [items]:
            for file, names in item.items() if isinstance(item, dict) else [(DEFAULT_PARAMS, [item])]:
                self._from_file(str(file), names, keys, files)
        return list(dict.fromkeys(keys)), list(dict.fromkeys(files))

    def _from_file(self, file: str, names: Any, keys: list[str], files: list[str]) -> None:
        try:
            path = project_path(self.cwd, file)
        except ValueError as error:
            self.remarks.append(f"left out of params: {file}: {error}")
            return
        wanted = [to_text(name) for name in names] if isinstance(names, list) else []
        if path == self.params.path and wanted:
            keys += [key for name in wanted if (key := self._key(name))]
            return
        files.append(path)
        if wanted:
            shown = some(wanted)
            why = f"axil takes keys from one params file, {self.params.path}" if self.params.path else "no params file"
            self.remarks.append(f"{path} counts as a whole instead of {shown}: {why}")

    def _key(self, name: str) -> str:
        """The key of the params file that covers `name`, "" if there is none."""
        key = name.replace("[", ".").replace("]", "")
        flat = self.params.flat
        if key in flat or any(other.startswith(f"{key}.") for other in flat):
            return key
        above = key
        while above := above.rpartition(".")[0]:
            if isinstance(flat.get(above), list):
                self.remarks.append(f"the parameter {name} is part of a list: {above} counts as a whole")
                return above
        self.remarks.append(f"the parameter {name} is not in {self.params.path}: left out")
        return ""


def translate(resolved: Resolved, folder: str, name: str, params: Params, git: InGit) -> Translated:
    """The stage as axil's, called `name`. `folder` is where its dvc.yaml lies."""
    if resolved.error:
        return Translated(None, (resolved.error,))
    try:
        check_stage_name(name)
        cmd = command(resolved.definition.get("cmd"))
        reader = _Stage(resolved, folder, params, git)
    except ValueError as error:
        return Translated(None, (str(error),))
    made, keep = reader.outputs()
    keys, files = reader.parameters()
    every = {path for paths in made.values() for path in paths}
    deps = [path for path, _ in reader.paths("deps") if path not in every]
    if in_git := [path for path in made["outs"] if git.has(path)]:
        reader.remarks.append(f"in git until now, on the new branch outputs that git leaves out: {some(in_git)}")
    stage = Stage(
        name,
        cmd,
        deps=tuple(dict.fromkeys([*deps, *files])),
        params=tuple(keys),
        outs=tuple(made["outs"]),
        metrics=tuple(made["metrics"]),
        plots=tuple(made["plots"]),
        keep=tuple(keep),
        cwd=reader.cwd,
        always=resolved.definition.get("always_changed") is True,
    )
    return Translated(stage, (*reader.remarks, *_remarks(resolved)), _comments(resolved.definition))


def command(cmd: Any) -> str:
    """One command for /bin/sh; several run one after the other, each in a shell of its own, until one fails."""
    parts = [to_text(part).strip() for part in (cmd if isinstance(cmd, list) else [cmd]) if part is not None]
    parts = [part for part in parts if part]
    if not parts or any("\0" in part for part in parts):
        raise Untranslatable("it has no command")
    if len(parts) == 1:
        return parts[0]
    return " && ".join(part if _PLAIN.fullmatch(part) and not _ALONE.match(part) else f"(\n{part}\n)" for part in parts)


def is_metrics(path: str) -> bool:
    """Whether axil can read numbers from a file of this name."""
    return posixpath.splitext(path)[1].lower() in METRICS


def entries(value: Any) -> Iterable[tuple[Any, dict[str, Any]]]:
    """(path, options) of a list of paths or `path: options`."""
    for item in value if isinstance(value, list) else []:
        if not isinstance(item, dict):
            yield item, {}
            continue
        if "path" in item:  # As old `.dvc` files have them.
            yield item["path"], {**item, "persist": item.get("persist")}
            continue
        for path, options in item.items():
            several = options if isinstance(options, list) else [options]
            merged: dict[str, Any] = {}
            for one in several:
                merged |= one if isinstance(one, dict) else {}
            yield path, merged


def some(words: Sequence[str]) -> str:
    """`words` in one line, cut short where they are many."""
    return ", ".join(words[:4]) + (f" and {len(words) - 4} more" if len(words) > 4 else "")


def free_name(name: str, taken: Collection[str]) -> str:
    """`name` made of the characters that a stage's name may have, unlike all that are `taken`."""
    clean = re.sub(r"[^A-Za-z0-9_.@-]", "_", name)[:100] or "stage"
    clean = clean if clean[0] not in ".@-" else f"_{clean}"[:100]
    number, free = 1, clean
    while free in taken:
        number += 1
        free = f"{clean[:95]}_{number}"
    return free


def _remarks(resolved: Resolved) -> Iterable[str]:
    definition = resolved.definition
    if definition.get("frozen") or definition.get("locked"):
        yield "frozen: axil has no word for it; `axil run` runs the stage like the others"
    used = {name: value for name, value in resolved.used.items() if not re.match(r"(?:item|key)(?:[.\[]|$)", name)}
    if used:
        shown = some([f"{name} = {_short(to_text(value))}" for name, value in used.items()])
        yield f"written out: {shown}; from now on this is changed in axil.toml"
    if re.search(r"\[\[ |<\(|\bpipefail\b|(?:^|\n|&& |; )source ", to_text(definition.get("cmd"))):
        yield "the command looks written for bash; axil runs commands with /bin/sh"
    if unknown := sorted(set(definition) - _KNOWN):
        yield f"not carried over: {', '.join(unknown)}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _comments(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """The description and the user's own data about a stage, which become comments."""
    found = []
    if definition.get("desc"):
        found += to_text(definition["desc"]).splitlines()
    if definition.get("meta"):
        import json

        found.append(f"meta: {json.dumps(definition['meta'], ensure_ascii=False)}"[:2000])
    return tuple(found)
