"""What differs between two steps, part by part (parameters, data, files of code), and code with some of it replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from axil.actions import parameters
from axil.actions.bases import base_at, flat_of
from axil.actions.bisect_meter import Code
from axil.base.light import TYPE_CHECKING, Literal, NamedTuple
from axil.base.quickjson import canonical
from axil.data.pointers import data_path, is_pointer
from axil.formats.params import Assignment
from axil.formats.project import FILE
from axil.git.diff import diff_trees
from axil.git.trees import changed_tree
from axil.pipeline.graph import covering

if TYPE_CHECKING:
    from axil.formats.record import Run
    from axil.journal.rows import Value
    from axil.project import Project

Kind = Literal["params", "data", "code"]
Change = Literal["changed", "added", "removed"]
_SOURCES = (".py", ".pyi", ".ipynb", ".sh", ".r", ".R", ".jl")
"""Endings of files that are code even where a stage lists them among its deps."""


class Part(NamedTuple):
    """One thing that differs: a parameter, the data at a path, or a file."""

    kind: Kind
    name: str
    change: Change
    old: Value = None
    """Of a parameter."""
    new: Value = None


class Difference:
    """What differs from the code `old` to the code `new`, and mixtures of the two."""

    def __init__(self, project: Project, old: Code, new: Code) -> None:
        self._project = project
        self._old, self._new = old, new
        self._bases = base_at(project, old.tree, old.data), base_at(project, new.tree, new.data)
        self._files = {change.path: change for change in diff_trees(project.git, old.tree, new.tree)}
        own = {base.params_file for base in self._bases}
        self._plain = [path for path in self._files if path not in own and not is_pointer(path)]
        self._params = self._of_params()
        self.parts = (*self._params, *self._of_data(), *self._of_code())

    def relevant(self, runs: Sequence[Run]) -> tuple[Part, ...]:
        """The parts that a stage of the two `runs` depends on, as their records tell."""
        stages = [stage for run in runs for stage in run.stages]
        deps = {dep for stage in stages for dep in (*stage.deps, *stage.start)}
        params = {key for stage in stages for key in stage.params}
        code = [{path: digest for stage in run.stages for path, digest in stage.code.items()} for run in runs]
        read = {path for path in {*code[0], *code[-1]} if code[0].get(path) != code[-1].get(path)}

        def counts(part: Part) -> bool:
            if part.kind == "params":
                return part.name in params or part.name in {base.params_file for base in self._bases}
            if covering(part.name, deps) or any(dep.startswith(part.name + "/") for dep in deps):
                return True
            return part.kind == "code" and (part.name == FILE or part.name in read)

        return tuple(part for part in self.parts if counts(part))

    def mixed(self, parts: Sequence[Part]) -> Code:
        """The old code with `parts` as the new one has them. Raises `BadInput` if parameters cannot be set so."""
        names = {part.name for part in parts if part.kind != "params"}
        paths = [path for path in self._files if (data_path(path) if is_pointer(path) else path) in names]
        data = {path: out for path, out in self._old.data.items() if path not in names}
        data |= {path: out for path, out in self._new.data.items() if path in names}
        chosen = [part for part in parts if part.kind == "params"]
        files: dict[str, bytes] = {}
        if chosen and len(chosen) == len(self._params):
            paths += [base.params_file for base in self._bases if base.params_file in self._files]
        elif chosen:
            path = self._bases[0].params_file
            files[path] = parameters.assigned(self._bases[0].params, path, [_assignment(part) for part in chosen])
        changes = [self._files[path] for path in paths]
        entries = {change.path: (change.new_mode, change.new) for change in changes if change.status != "D"}
        deletes = [change.path for change in changes if change.status == "D"]
        tree = changed_tree(self._project.git, self._old.tree, files, deletes, entries)
        return Code(tree, self._old.commit, data)

    def _of_params(self) -> tuple[Part, ...]:
        """One part a key; the file as a whole where it has another name."""
        old, new = self._bases
        if old.params_file != new.params_file:
            change = _change(bool(old.params_file), bool(new.params_file))
            return (Part("params", new.params_file or old.params_file, change),)
        before, after = (flat_of(self._project, base) for base in self._bases)
        return tuple(_parameter(key, before, after) for key in {**before, **after} if _differ(before, after, key))

    def _of_data(self) -> tuple[Part, ...]:
        """Tracked data whose content differs, and files of git that stages read as data."""
        old, new = (base.data for base in self._bases)
        tracked = [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]
        parts = [Part("data", path, _change(path in old, path in new)) for path in tracked]
        return (*parts, *(self._file("data", path) for path in self._plain if self._is_data(path)))

    def _of_code(self) -> tuple[Part, ...]:
        return tuple(self._file("code", path) for path in self._plain if not self._is_data(path))

    def _file(self, kind: Kind, path: str) -> Part:
        status = self._files[path].status
        return Part(kind, path, _change(status != "A", status != "D"))

    def _is_data(self, path: str) -> bool:
        """Whether the file `path` of git is what a stage reads rather than what it runs."""
        change = self._files[path]
        if path.endswith(_SOURCES) or "100755" in (change.old_mode, change.new_mode):
            return False
        stages = [stage for base in self._bases for stage in base.graph.stages.values()]
        return any(covering(path, stage.deps) for stage in stages)


def _parameter(key: str, before: Mapping[str, Value], after: Mapping[str, Value]) -> Part:
    return Part("params", key, _change(key in before, key in after), before.get(key), after.get(key))


def _differ(before: Mapping[str, Value], after: Mapping[str, Value], key: str) -> bool:
    if key not in before or key not in after:
        return True
    # As the keys of stages see it: 1 and true are not the same setting.
    return canonical(before[key]) != canonical(after[key])


def _change(before: bool, after: bool) -> Change:
    return "changed" if before and after else "added" if after else "removed"


def _assignment(part: Part) -> Assignment:
    op = {"changed": "set", "added": "add", "removed": "remove"}[part.change]
    return Assignment(part.name, part.new, op)
