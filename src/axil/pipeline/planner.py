"""What each stage needs: to run, to have its outputs put back, nothing, or to wait for what comes before it.

`status`, the dry run and the run itself ask the same planner, so they cannot disagree. It changes nothing. How it
decides is told in docs/pipeline.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from axil.base.hashing import Oid
from axil.base.ids import short
from axil.base.light import Literal, NamedTuple, Protocol
from axil.base.progress import size
from axil.data.content import content_of
from axil.data.index import WorkTreeIndex
from axil.errors import BadInput, NotFound
from axil.formats.pointer import Pointer
from axil.formats.project import ProjectFile, Stage
from axil.formats.tree import DIR, Entry
from axil.journal.rows import OutputRow, StageRow
from axil.pipeline import checks, keys
from axil.pipeline.closure import Closure, Finder
from axil.pipeline.graph import Graph, covering
from axil.pipeline.keys import Difference, StageInputs
from axil.pipeline.load import Params
from axil.pipeline.reads import chosen
from axil.pipeline.sources import Sources

Action = Literal["run", "restore", "current", "waits"]
GOOD = ("succeeded", "cached", "current")
"""States of a stage record whose outputs are the stage's result."""
Made = Mapping[str, Pointer]
"""Output path -> what it holds (or will hold, once restored)."""


class Results(Protocol):
    """What the planner asks the journal (`journal.Journal`)."""

    def cached(self, key: str) -> StageRow | None:
        """The newest succeeded stage with that key, whoever ran it."""

    def last_stage(self, name: str, experiment: str | None) -> StageRow | None:
        """The stage's most recent record: of this experiment, else of its ancestors, else of any."""


class Objects(Protocol):
    """What the planner asks the store (`store.Store`)."""

    def missing(self, oids: Iterable[Oid]) -> set[Oid]:
        """Those of `oids` that are not here."""

    def entries(self, oid: Oid) -> list[Entry]:
        """What the directory `oid` holds."""


class Elsewhere(Protocol):
    """What the planner asks about objects that are not here; answered without the network."""

    def to_fetch(self, sizes: Mapping[Oid, int]) -> int | None:
        """How many bytes must come to have these objects (with their sizes) and all they name here.

        None if no remote is known to have them.
        """


class Decision(NamedTuple):
    """What happens to one stage, and why."""

    stage: str
    action: Action
    reason: str
    inputs: StageInputs | None = None
    """None for a stage that waits: its inputs are not known yet."""
    key: str | None = None
    hit: StageRow | None = None
    """The recorded result that is restored or current."""
    outs: dict[str, Pointer] = {}
    """What the stage's paths hold, for "restore" (after it) and "current"."""
    overwrites: tuple[str, ...] = ()
    """Outputs in the work tree that this action replaces and whose bytes are not in the store: save them first."""
    seen: tuple[str, ...] = ()
    """Files found at run time earlier that are part of `inputs.code`."""
    read: tuple[str, ...] = ()
    """Parameters read at run time earlier that are part of `inputs.params`."""
    fetch: int | None = None
    """Bytes that must come from a remote before `outs` can be restored; None if all of them are here."""


class Planner:
    """Decides for the stages of one work tree. Use it from one thread.

    `environ` is where the values of `env` names are taken from; `environment` names the Python environment if it
    counts (`env.strict`), else "". `force` are stages that run in any case. `experiment` is the current branch.
    `difference` tells what changed inside a dependency, for reasons. `elsewhere` knows of objects on remotes. `given`
    is what paths hold whatever the work tree says: content that is laid there only when something reads it. `starts`
    are tracked checkpoints: a stage that has one starts from it, so it counts as an input.
    """

    def __init__(
        self,
        root: str,
        file: ProjectFile,
        graph: Graph,
        params: Params,
        index: WorkTreeIndex,
        store: Objects,
        journal: Results,
        *,
        experiment: str | None = None,
        environ: Mapping[str, str] = {},
        environment: str = "",
        force: Collection[str] = (),
        sample: int = 0,
        difference: Difference | None = None,
        elsewhere: Elsewhere | None = None,
        given: Made = {},  # noqa: B006 (never changed)
        starts: Made = {},  # noqa: B006 (never changed)
    ) -> None:
        self.root = root
        self.file = file
        self.graph = graph
        self.params = params
        self.index = index
        self.store = store
        self.journal = journal
        self.experiment = experiment
        self.environ = environ
        self.environment = environment
        self.force = force
        self.sample = sample
        self.difference = difference
        self.elsewhere = elsewhere
        self.given = given
        self.starts = starts
        self.sources = Sources(root, index, index.clock)
        self.finder = Finder(root, self.sources)
        self._here: dict[str, Pointer | None] = {}

    def refresh(self) -> None:
        """Forget what the work tree looked like, for a new look."""
        self.sources.refresh()
        self.finder = Finder(self.root, self.sources)
        self._here = {}

    def plan_all(self, targets: Iterable[str] = ()) -> list[Decision]:
        """A decision for each stage needed for `targets` (none = all), in running order.

        Stages behind one that will run can only be told to wait. Raises `BadInput` for a wrong stage before anything
        else is looked at (missing dependency, unknown parameter), `NotFound` for an unknown target.
        """
        names = self.graph.subset(targets)
        self.check(names)
        decisions: dict[str, Decision] = {}
        made: dict[str, Pointer] = {}
        for name in names:
            decision = self._waiting(name, decisions) or self._decide(name, made)
            decisions[name] = decision
            made.update(decision.outs)
        self.sources.save()
        return list(decisions.values())

    def decide(self, name: str, made: Made = {}) -> Decision:  # noqa: B006 (never changed)
        """The decision for the stage `name`, whose upstreams are all done: never "waits". Looks at the work tree anew.

        `made` may give outputs of upstreams that are known already; the others are read from the work tree.
        """
        self.refresh()
        decision = self._decide(name, made)
        self.sources.save()
        return decision

    def check(self, names: Iterable[str]) -> None:
        """Raises `BadInput` for the first of the stages `names` whose deps, params or cwd do not exist."""
        for name in names:
            checks.check_stage(self.root, self.graph, self.graph.stages[name], self.params, self.given)

    def with_seen(self, name: str, inputs: StageInputs, seen: Iterable[str], started: float) -> StageInputs:
        """`inputs` of a stage that ran, completed by the project files `seen` at run time and all they import.

        Code that the static search found keeps the hash it had before the run; what was only seen and changed after
        `started` (seconds since the epoch) gets one that never matches again. The key of a record is made from this.
        """
        self.refresh()
        stage = self.graph.stages[name]
        code = {}
        for path, digest in self._closure(stage, seen).code.items():
            changed = path not in inputs.code and self.sources.changed_since(path, started)
            code[path] = keys.UNSTABLE if changed else inputs.code.get(path, digest)
        self.sources.save()
        return inputs._replace(code=code)

    def with_read(self, name: str, inputs: StageInputs, read: Iterable[str]) -> StageInputs:
        """`inputs` of a stage that ran, with the parameters it was found to have `read` besides the declared ones."""
        return inputs._replace(params=chosen(self.params.flat, self.graph.stages[name].params, read))

    def inputs(
        self, name: str, made: Made, seen: Sequence[str] = (), read: Sequence[str] = ()
    ) -> tuple[StageInputs, Closure]:
        """Everything the result of the stage `name` depends on, and its code with who imports what."""
        stage = self.graph.stages[name]
        closure = self._closure(stage, seen)
        env = {variable: keys.hash_env(self.environ.get(variable)) for variable in stage.env}
        if self.environment:
            env[keys.ENVIRONMENT] = self.environment
        start = {path: self.starts[path].oid.hex() for path in stage.checkpoint if path in self.starts}
        inputs = StageInputs(
            cmd=stage.cmd,
            cwd=stage.cwd,
            deps={dep: self._dep(stage, dep, made).hex() for dep in stage.deps} | start,
            params=chosen(self.params.flat, stage.params, read),
            code=closure.code,
            env=env,
            outs=stage.made,
            sample=self.sample,
        )
        return inputs, closure

    def code(self, name: str) -> list[str]:
        """Project paths of the code that the stage `name` runs, as far as that is seen without running it."""
        return list(self._closure(self.graph.stages[name], ()).code)

    def _closure(self, stage: Stage, seen: Iterable[str]) -> Closure:
        def is_data(path: str) -> bool:
            declared = covering(path, stage.deps) or covering(path, self.graph.makers)
            return bool(declared) or (path == self.params.path and bool(stage.params))

        return self.finder.find(stage.cmd, stage.cwd, is_data, seen)

    def _waiting(self, name: str, decisions: Mapping[str, Decision]) -> Decision | None:
        """The decision for a stage that cannot be judged yet, or None."""
        stage = self.graph.stages[name]
        above = [decisions[other] for other in self.graph.upstream[name]]
        pending = [decision.stage for decision in above if decision.action in ("run", "waits")]
        if not pending:
            # A folder that holds outputs and other things can only be read when the outputs are back in it.
            folders = {dep for dep in stage.deps if covering(dep, self.graph.makers) is None}
            inner = {self.graph.makers[out] for dep in folders for out in self.graph.sources(dep)}
            inner |= {decision.stage for decision in above if decision.fetch is not None and _inside(stage, decision)}
            pending = [decision.stage for decision in above if decision.stage in inner and decision.action == "restore"]
        if not pending:
            return None
        if stage.always or name in self.force:
            reason = "forced" if name in self.force else "always runs"
            return Decision(name, "run", reason, overwrites=self._unsaved(stage.made))
        return Decision(name, "waits", f"after {', '.join(pending)} (may be cached)")

    def _decide(self, name: str, made: Made) -> Decision:
        stage = self.graph.stages[name]
        last = self.journal.last_stage(name, self.experiment)
        seen, read = (tuple(last.seen), tuple(last.read)) if last else ((), ())
        inputs, closure = self.inputs(name, made, seen, read)
        key = keys.key(inputs)

        def run(reason: str) -> Decision:
            return Decision(
                name, "run", reason, inputs, key, overwrites=self._unsaved(stage.made), seen=seen, read=read
            )

        def current(row: StageRow) -> Decision:
            reason = f"unchanged since run {_origin(row)}"
            return Decision(name, "current", reason, inputs, key, row, pointers(row.outs), seen=seen, read=read)

        if name in self.force:
            return run("forced")
        if stage.always:
            return run("always runs")
        own = last if last is not None and last.state in GOOD and last.key == key and _complete(last, stage) else None
        # The experiment's own result is kept where it lies, even if another one with this key is newer.
        if own is not None and not self._different(own):
            return current(own)
        hit = self.journal.cached(key)
        hit = hit if hit is not None and _complete(hit, stage) else own
        if hit is None:
            return run(keys.explain(last, inputs, via=closure.via, difference=self.difference))
        different = self._different(hit)
        if not different:
            return current(hit)
        gone = self._lost(hit, different)
        fetch = self._to_fetch(hit, gone)
        if gone and fetch is None:
            return run(f"{gone[0]} of run {_origin(hit)} is no longer in the store")
        unsaved = self._unsaved(different)
        reason = self._why_restore(hit, different, unsaved, fetch is not None)
        if fetch is not None:
            reason += f", {size(fetch)} to fetch"
        outs = pointers(hit.outs)
        return Decision(name, "restore", reason, inputs, key, hit, outs, unsaved, seen, read, fetch)

    def _dep(self, stage: Stage, dep: str, made: Made) -> Oid:
        """The oid of a dependency: of what its maker made, else of what the work tree holds."""
        known = {**self.given, **made} if self.given else made
        out = covering(dep, known)
        found = self._below(known[out], dep[len(out) + 1 :]) if out is not None else self._oid(dep)
        if found is None:
            maker = covering(dep, self.graph.makers)
            raise checks.missing_dep(self.root, self.graph, stage, dep, self.graph.makers[maker] if maker else "")
        return found

    def _below(self, pointer: Pointer, path: str) -> Oid | None:
        """The oid of `path` inside `pointer`, looked up in the store; "" is the thing itself."""
        oid, kind = pointer.oid, pointer.kind
        for part in path.split("/") if path else ():
            if kind != "tree":
                return None
            name = part.encode("utf-8", "surrogateescape")
            entry = next((entry for entry in self.store.entries(oid) if entry.name == name), None)
            if entry is None:
                return None
            oid, kind = entry.oid, "tree" if entry.kind == DIR[0] else "file"
        return oid

    def _oid(self, path: str) -> Oid | None:
        found = self._content(path)
        return found.oid if found else None

    def _content(self, path: str) -> Pointer | None:
        if path in self.given:
            return self.given[path]
        if path not in self._here:
            try:
                self._here[path] = content_of(self.index, self.root, path)
            except BadInput:
                # A pipe or socket where an output belongs holds nothing that could be lost: the stage runs again.
                if path not in self.graph.makers or checks.holds_bytes(self.root, path):
                    raise
                self._here[path] = None
        return self._here[path]

    def _different(self, hit: StageRow) -> list[str]:
        """The outputs of `hit` that the work tree does not hold as recorded."""
        return [path for path, row in hit.outs.items() if not _same(self._content(path), row)]

    def _unsaved(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Those of `paths` whose content in the work tree is not in the store."""
        here = {path: found.oid for path in paths if (found := self._content(path)) is not None}
        missing = self.store.missing(here.values()) if here else set()
        return tuple(path for path, oid in here.items() if oid in missing)

    def _lost(self, hit: StageRow, paths: Iterable[str]) -> list[str]:
        """Those of the outputs `paths` of `hit` that the store does not hold completely."""
        oids = {path: bytes.fromhex(hit.outs[path].oid) for path in paths}
        missing = self.store.missing(oids.values()) if oids else set()
        trees = {path for path in oids if hit.outs[path].kind == "tree"}
        return [path for path, oid in oids.items() if oid in missing or (path in trees and not self._whole(oid))]

    def _to_fetch(self, hit: StageRow, paths: Sequence[str]) -> int | None:
        """How many bytes bring the outputs `paths` of `hit` here; None if there are none, or nobody has them."""
        if not paths or self.elsewhere is None:
            return None
        return self.elsewhere.to_fetch({bytes.fromhex(hit.outs[path].oid): hit.outs[path].size for path in paths})

    def _whole(self, tree: Oid) -> bool:
        """Whether the store holds everything in `tree`, which it holds itself."""
        trees = [tree]
        while trees:
            try:
                entries = self.store.entries(trees.pop())
            except NotFound:
                return False
            if self.store.missing({entry.oid for entry in entries}):
                return False
            trees.extend(entry.oid for entry in entries if entry.kind == DIR[0])
        return True

    def _why_restore(self, hit: StageRow, different: Sequence[str], unsaved: Sequence[str], fetched: bool) -> str:
        absent = [path for path in different if self._content(path) is None]
        more = f" (and {len(different) - 1} more)" if len(different) > 1 else ""
        elsewhere = hit.experiment not in ("", self.experiment) and not hit.source
        author = hit.author.partition(" <")[0]
        by = f" by {author}" if fetched and author else ""
        source = f"run {_origin(hit)}{by}" + (f" on {hit.experiment}" if elsewhere else "")
        if unsaved:
            return f"{unsaved[0]} was edited by hand{more}, {source} has the result"
        if absent:
            return f"{absent[0]} is missing{more}, {source} has the result"
        return f"same inputs as {source}"


def pointers(outs: Mapping[str, OutputRow]) -> dict[str, Pointer]:
    """Recorded outputs as descriptions of content."""
    return {
        path: Pointer(
            "tree" if row.kind == "tree" else "file", bytes.fromhex(row.oid), row.size, row.files, row.executable
        )
        for path, row in outs.items()
    }


def _complete(row: StageRow, stage: Stage) -> bool:
    """Whether the record has every path that the stage makes."""
    return all(path in row.outs for path in stage.made)


def _inside(stage: Stage, decision: Decision) -> bool:
    """Whether the stage reads something inside an output of `decision`, rather than the whole."""
    return any(dep not in decision.outs and covering(dep, decision.outs) is not None for dep in stage.deps)


def _origin(hit: StageRow) -> str:
    """The run that made the result, as reasons show it."""
    return short(hit.source or hit.run)


def _same(here: Pointer | None, row: OutputRow) -> bool:
    return here is not None and (here.kind, here.oid.hex(), here.executable) == (row.kind, row.oid, row.executable)
