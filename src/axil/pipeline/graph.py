"""The pipeline's graph: a stage comes after every stage that makes something it depends on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from axil.base.light import NamedTuple
from axil.errors import BadInput, NotFound
from axil.formats.project import FILE, Stage, check_path, suggest


class Graph(NamedTuple):
    """Stages in an order in which they can run; all mappings have every stage as a key."""

    stages: dict[str, Stage]
    """In running order; stages that do not depend on each other keep the order of axil.toml."""
    upstream: dict[str, tuple[str, ...]]
    downstream: dict[str, tuple[str, ...]]
    makers: dict[str, str]
    """Output path -> the stage that makes it."""
    inside: dict[str, tuple[str, ...]]
    """Folder -> the outputs that lie somewhere inside it."""

    @property
    def written(self) -> list[str]:
        """What stages write that git is not to have: outputs and checkpoints."""
        return [path for stage in self.stages.values() for path in (*stage.made, *stage.checkpoint)]

    def sources(self, path: str) -> tuple[str, ...]:
        """The outputs that `path` is made of: the one it equals or lies in, or those that lie in it."""
        over = covering(path, self.makers)
        return (over,) if over is not None else self.inside.get(path, ())

    def subset(self, targets: Iterable[str]) -> list[str]:
        """The stages needed for `targets` (names of stages or of outputs; none = all), in running order.

        Raises `NotFound` for a target that is neither.
        """
        names = [self.resolve(target) for target in targets]
        if not names:
            return list(self.stages)
        needed = reach(names, self.upstream)
        return [name for name in self.stages if name in needed]

    def resolve(self, target: str) -> str:
        """The stage that `target` names: by its name, or by something it makes. Raises `NotFound`."""
        if target in self.stages:
            return target
        try:
            made = self.makers.get(check_path(target))
        except ValueError:
            made = None
        if made is None:
            hint = suggest(target, [*self.stages, *self.makers])
            known = f"the stages are: {', '.join(self.stages)}" if self.stages else f"{FILE} has no stages"
            raise NotFound(f"there is no stage `{target}`", known, hint or "axil stage list shows them all")
        return made


def covering(path: str, folders: Collection[str]) -> str | None:
    """The member of `folders` that `path` equals or lies in, or None."""
    while path:
        if path in folders:
            return path
        path = path.rpartition("/")[0]
    return None


def parents(path: str) -> Iterable[str]:
    """The folders above `path`, nearest first."""
    path = path.rpartition("/")[0]
    while path:
        yield path
        path = path.rpartition("/")[0]


def reach(names: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    """`names` and all that can be reached from them along `edges`."""
    found = set(names)
    stack = list(found)
    while stack:
        new = [name for name in edges[stack.pop()] if name not in found]
        found.update(new)
        stack.extend(new)
    return found


def build(stages: Mapping[str, Stage], source: str = FILE) -> Graph:
    """The graph of `stages`, in time linear in stages and paths.

    Raises `BadInput` when two stages make the same or overlapping paths, or when they wait for each other in a circle.
    """
    makers: dict[str, str] = {}
    for stage in stages.values():
        for path in stage.made:
            if path in makers:
                raise _clash(stages[makers[path]], path, stage, path, source)
            makers[path] = stage.name
    inside: dict[str, list[str]] = {}
    for path, name in makers.items():
        for folder in parents(path):
            if folder in makers:
                raise _clash(stages[makers[folder]], folder, stages[name], path, source)
            inside.setdefault(folder, []).append(path)
    _check_checkpoints(stages, makers, inside, source)
    draft = Graph(dict(stages), {}, {}, makers, {folder: tuple(paths) for folder, paths in inside.items()})
    upstream = {
        name: tuple(dict.fromkeys(makers[out] for dep in stage.deps for out in draft.sources(dep)))
        for name, stage in stages.items()
    }
    downstream: dict[str, list[str]] = {name: [] for name in stages}
    for name, above in upstream.items():
        for other in above:
            downstream[other].append(name)
    order = _order(stages, upstream, downstream, source)
    return draft._replace(
        stages={name: stages[name] for name in order},
        upstream={name: upstream[name] for name in order},
        downstream={name: tuple(downstream[name]) for name in order},
    )


def _check_checkpoints(
    stages: Mapping[str, Stage], makers: Mapping[str, str], inside: Mapping[str, object], source: str
) -> None:
    """Raises `BadInput` if a checkpoint overlaps an output, a dependency or another checkpoint."""
    used = {path: stage for stage in stages.values() for path in (*stage.deps, *stage.checkpoint)}
    above = {folder for path in used for folder in parents(path)}
    seen: set[str] = set()
    for stage in stages.values():
        for path in stage.checkpoint:
            if covering(path, makers) or path in inside or covering(path.rpartition("/")[0], used) or path in above:
                other = "overlaps something that a stage reads or makes"
            elif path in seen or any(path in one.deps for one in stages.values()):
                other = "is also a dependency, or the checkpoint of another stage"
            else:
                seen.add(path)
                continue
            raise BadInput(
                f"{_at(source, stage)}: the checkpoint {path} of stage {stage.name} {other}",
                "a checkpoint belongs to its stage alone, and is removed when that begins anew",
                "give it a folder of its own: checkpoint = 'ckpt/'",
            )


def check_tracked(graph: Graph, tracked: Collection[str], source: str = FILE) -> None:
    """Raises `BadInput` if an output equals, holds or lies in data tracked with `axil add` (project paths)."""
    folders = {folder: path for path in tracked for folder in parents(path)}
    for stage in graph.stages.values():
        for path in stage.checkpoint:
            # Tracked as a whole it is what the stage starts from.
            if path in folders or covering(path.rpartition("/")[0], tracked) is not None:
                raise BadInput(
                    f"{_at(source, stage)}: the checkpoint {path} of stage {stage.name} overlaps tracked data",
                    "", "give it a folder of its own",
                )  # fmt: skip
    for path, name in graph.makers.items():
        other = covering(path, tracked) or folders.get(path)
        if other is not None:
            line = _at(source, graph.stages[name])
            raise BadInput(
                f"{line}: stage {name} makes {path}, which is tracked data",
                f"{other} has a pointer file {other}.axil; a stage would overwrite it",
                f"let the stage write somewhere else, or stop tracking it: axil rm {other}",
            )


def check_git(graph: Graph, files: Iterable[str], source: str = FILE) -> None:
    """Raises `BadInput` if git tracks an output or a file inside one; `files` are git's files (project paths).

    Metrics and plots may be in git: they are small, and people like to read them there.
    """
    outs = {path: stage for stage in graph.stages.values() for path in (*stage.outs, *stage.checkpoint)}
    for file in files:
        path = covering(file, outs)
        if path is not None:
            raise BadInput(
                f"{_at(source, outs[path])}: stage {outs[path].name} makes {path}, which git tracks",
                f"{file} is in git, and outputs are kept by axil" if file != path else "outputs are kept by axil",
                f"take it out of git, the file itself stays: git rm -r --cached {path}",
            )


def _at(source: str, stage: Stage) -> str:
    return f"{source} line {stage.line}" if stage.line else source


def _clash(a: Stage, first: str, b: Stage, second: str, source: str) -> BadInput:
    if first == second:
        what = f"stages {a.name} and {b.name} both make {first}"
    else:
        what = f"{second} (stage {b.name}) lies inside {first} (stage {a.name})"
    lines = ", ".join(_at(source, stage) for stage in dict.fromkeys((a, b)) if stage.line)
    return BadInput(what, f"each output has exactly one maker ({lines})" if lines else "each output has one maker")


def _order(
    stages: Mapping[str, Stage], upstream: Mapping[str, tuple[str, ...]], down: Mapping[str, list[str]], source: str
) -> list[str]:
    """A running order. Source: Kahn, Topological sorting of large networks (1962)."""
    waiting = {name: len(above) for name, above in upstream.items()}
    ready = [name for name in reversed(list(stages)) if not waiting[name]]
    order = []
    while ready:
        name = ready.pop()
        order.append(name)
        for other in reversed(down[name]):
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    if len(order) < len(stages):
        circle = _circle({name for name, count in waiting.items() if count}, upstream)
        stage = stages[circle[0]]
        raise BadInput(
            f"{_at(source, stage)}: stages wait for each other: {' → '.join(circle)}",
            "a → b means that b depends on something a makes",
            "take one of these deps out, or let a stage write to another path",
        )
    return order


def _circle(stuck: set[str], upstream: Mapping[str, tuple[str, ...]]) -> list[str]:
    """One cycle among `stuck`, each stage before the one that needs it, the first one again at the end."""
    place: dict[str, int] = {}
    path: list[str] = []
    name = min(stuck)
    while name not in place:
        place[name] = len(path)
        path.append(name)
        name = next(other for other in upstream[name] if other in stuck)
    circle = path[place[name] :][::-1]
    start = circle.index(min(circle))
    circle = circle[start:] + circle[:start]
    return [*circle, circle[0]]
