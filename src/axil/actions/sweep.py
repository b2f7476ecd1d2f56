"""Ask for many runs of one snapshot: the trials of a sweep, or replicates with different seeds.

What is asked is one record in the journal; `drive` makes the runs, now or after any interruption.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from axil.actions.bases import base_at
from axil.actions.run import parse_assignments, planner_with
from axil.actions.submit import Base, Taken, take
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import BadInput, Damaged, NotFound
from axil.formats import params
from axil.formats import space as spaces
from axil.formats.params import Assignment
from axil.pipeline.graph import Graph, build, reach
from axil.runs.stage import SEED, reads, seeded

if TYPE_CHECKING:
    from axil.formats.record import Sweep
    from axil.formats.space import Space
    from axil.journal.rows import Value
    from axil.pipeline.planner import Planner
    from axil.project import Project

SAMPLERS = ("grid", "random", "tpe", "cmaes")


class Begun(NamedTuple):
    """What is recorded and can be driven. `left_out` are untracked files too large for the snapshot."""

    sweep: Sweep
    committed: str
    left_out: tuple[tuple[str, int], ...]


class Search(NamedTuple):
    """How a sweep looks for the best parameters; "" and 0 stand for what suits the space."""

    sampler: str = ""
    trials: int = 0
    goal: str = ""
    """ "f1", "max:f1" or "min:loss"."""
    seed: int = 0
    pruner: str = ""
    """Who ends trials early that do clearly worse than others; "" for nobody."""
    sample: int = 0
    """Its trials are rehearsals on so many samples."""


class SweepPlan(NamedTuple):
    """What a sweep would do."""

    space: dict[str, str]
    sampler: str
    trials: int
    goal: str
    direction: str
    shared: tuple[str, ...]
    """Stages that no trial changes and that have to run first, once."""
    stages: tuple[str, ...]
    """Stages that each trial has for itself."""
    points: tuple[dict[str, Value], ...]
    """The parameters of each trial, in order; () where a sampler proposes them."""


class _Asked(NamedTuple):
    """A search with everything filled in."""

    space: Space
    sampler: str
    trials: int
    goal: str
    direction: str
    changed: frozenset[str]
    """Stages that read a parameter of the space."""


def plan(
    project: Project,
    words: Sequence[str],
    search: Search = Search(),  # noqa: B008
    targets: Sequence[str] = (),
    *,
    assignments: Sequence[str] = (),
) -> SweepPlan:
    """What `begin` with the same arguments would record; raises what it raises, changes nothing."""
    space, sampler, trials, goal, direction, changed = _asked(project, words, search, targets)
    planner = planner_with(project, targets, assignments, sample=search.sample)
    names = planner.graph.subset(targets)
    planner.check(names)
    own = _own(planner.graph, changed)
    return SweepPlan(
        spaces.written(words),
        sampler,
        trials,
        goal,
        direction,
        tuple(_shared(planner, names, changed)),
        tuple(name for name in names if name in own),
        tuple(spaces.grid_point(space, number) for number in range(trials)) if sampler == "grid" else (),
    )


def begin(
    project: Project,
    words: Sequence[str],
    search: Search = Search(),  # noqa: B008
    targets: Sequence[str] = (),
    *,
    assignments: Sequence[str] = (),
    message: str = "",
    gpus: int = 0,
    progress: Progress = SILENT,
) -> Begun:
    """Record a sweep over the space `words` of the code, data and other parameters as they are now.

    Raises `BadInput` before anything is changed for a wrong space, parameter, sampler or pipeline, `AxilError` if the
    sampler needs a package that is not there.
    """
    asked = _asked(project, words, search, targets)
    taken = take(project, targets, assignments=assignments, message=message, sample=search.sample, progress=progress)
    return _recorded(
        project,
        taken,
        _shared(taken.planner, _names(taken), asked.changed),
        space=spaces.written(words),
        keys=list(asked.space),
        sampler=asked.sampler,
        trials=asked.trials,
        goal=asked.goal,
        direction=asked.direction,
        seed=search.seed,
        pruner=search.pruner,
        sample=search.sample,
        gpus=gpus,
        message=message,
    )


def begin_replicates(
    project: Project,
    seeds: Sequence[int],
    targets: Sequence[str] = (),
    *,
    assignments: Sequence[str] = (),
    message: str = "",
    gpus: int = 0,
    sample: int = 0,
    progress: Progress = SILENT,
) -> Begun:
    """Record a group of runs that differ in nothing but the seed.

    Raises `BadInput` if no stage depends on it, or one of `assignments` sets it.
    """
    key, changed = seeded_stages(project, targets)
    if key and any(one.key == key for one in parse_assignments(assignments)):
        raise BadInput(f"`{key}` is what the seeds are", "it cannot be set to something else", f"leave --set {key} out")
    taken = take(project, targets, assignments=assignments, message=message, sample=sample, progress=progress)
    return _recorded(
        project,
        taken,
        _shared(taken.planner, _names(taken), changed),
        seeds=list(seeds),
        seed_key=key,
        sampler="seeds",
        trials=len(seeds),
        sample=sample,
        gpus=gpus,
        message=message,
    )


def seeded_stages(project: Project, targets: Sequence[str]) -> tuple[str, set[str]]:
    """The parameter that holds the seed ("" for none), and the stages that depend on it; `BadInput` if none does."""
    key = seed_key(project)
    graph = build(project.file.stages)
    changed = {name for name in graph.subset(targets) if seeded(graph.stages[name], key)}
    if not changed:
        why = f"no stage reads the parameter `{key}` or the variable {SEED}" if key else f"no stage lists {SEED}"
        hint = (
            f'name it in `params` of a stage, or {SEED} in its `env`; [project] seed = "…" says which parameter it is'
        )
        raise BadInput("nothing depends on the seed: all replicates would be the same", why, hint)
    return key, changed


def seed_key(project: Project) -> str:
    """The parameter that holds the seed: as axil.toml says, else `seed`, else the only key that ends in `.seed`; or "".

    Raises `BadInput` if axil.toml names one that does not exist.
    """
    flat = project.params.flat
    if wanted := project.file.seed:
        params.check(flat, [Assignment(wanted, None)], project.params.path or "the params file")
        return wanted
    if "seed" in flat:
        return "seed"
    found = [key for key in flat if key.endswith(".seed")]
    return found[0] if len(found) == 1 else ""


def base_of(project: Project, sweep: Sweep) -> Base:
    """What the runs of `sweep` are made from, read from git. Raises `Damaged` if git has lost it."""
    try:
        base = base_at(project, sweep.snapshot, sweep.data)
    except NotFound as error:
        why = f"git has no tree {sweep.snapshot}"
        raise Damaged(f"the snapshot of sweep {sweep.id} cannot be read", why, "run `git fsck`") from error
    return base._replace(
        commit=sweep.commit, experiment=sweep.experiment, author=sweep.author, targets=tuple(sweep.targets)
    )


def _goal(project: Project, text: str) -> tuple[str, str]:
    """The metric to be judged by, and whether "max" or "min" is better."""
    way, colon, name = text.partition(":")
    if colon and way in ("max", "min") and name:
        return name, way
    if colon and way in ("max", "min"):
        raise BadInput(f"cannot read the goal {text}", "it names no metric", "--goal min:loss")
    goal = text or project.file.headline
    return goal, project.file.metrics.get(goal, "max")


def _asked(project: Project, words: Sequence[str], search: Search, targets: Sequence[str]) -> _Asked:
    """Raises `BadInput` for a space or search that cannot be."""
    space = spaces.parse(words)
    if not space:
        raise BadInput("there is nothing to vary", "", "axil sweep 'train.lr=log(1e-4,1e-1)' 'model=mlp,cnn'")
    size = spaces.grid_size(space)
    sampler = search.sampler or ("grid" if size and not search.trials else "tpe")
    goal, direction = _goal(project, search.goal)
    _check_search(space, size, sampler, goal, search)
    params.check(project.params.flat, [Assignment(key, None) for key in space], project.params.path)
    trials = min(size, search.trials or size) if sampler == "grid" else search.trials or 20
    return _Asked(space, sampler, trials, goal, direction, _changed(build(project.file.stages), targets, space))


def _check_search(space: Space, size: int, sampler: str, goal: str, search: Search) -> None:
    if sampler not in SAMPLERS:
        raise BadInput(f"there is no sampler {sampler}", f"there are: {', '.join(SAMPLERS)}")
    if search.pruner:
        _check_pruner(search.pruner, goal)
    if sampler == "grid":
        endless = [key for key, one in space.items() if not one.values]
        if endless or not size:
            key = (endless or list(space))[0]
            hint = f"say how many points, as in '{key}=log(1e-4,1e-1,4)', or take --sampler tpe --trials 20"
            raise BadInput(f"a grid cannot hold all values of `{key}`", "there is no end to them", hint)
        return
    from axil.runs.sampling import optuna

    optuna()
    if not goal:
        raise BadInput(f"--sampler {sampler} needs a goal", "no metric is declared in axil.toml", "--goal min:loss")


def _check_pruner(pruner: str, goal: str) -> None:
    from axil.runs.pruning import PRUNERS
    from axil.runs.sampling import optuna

    if pruner not in PRUNERS:
        raise BadInput(f"there is no pruner {pruner}", f"there are: {', '.join(PRUNERS)}")
    optuna()
    if not goal:
        raise BadInput("--prune needs a goal", "no metric is declared in axil.toml", "--goal min:loss")


def _names(taken: Taken) -> list[str]:
    return taken.planner.graph.subset(taken.base.targets)


def _changed(graph: Graph, targets: Sequence[str], space: Space) -> frozenset[str]:
    """The stages that read a parameter of `space`. Raises `BadInput` if none that `targets` need reads one of them."""
    names = graph.subset(targets)
    for key in space:
        if not any(reads(graph.stages[name], (key,)) for name in names):
            raise BadInput(f"no stage reads `{key}`", "all trials would be the same", "name it in `params` of a stage")
    return frozenset(name for name, stage in graph.stages.items() if reads(stage, space))


def _own(graph: Graph, changed: Iterable[str]) -> set[str]:
    """The stages that each trial has to look at for itself."""
    always = [name for name, stage in graph.stages.items() if stage.always]
    return reach([*changed, *always], graph.downstream)


def _shared(planner: Planner, names: Iterable[str], changed: Iterable[str]) -> list[str]:
    """Those of the stages `names` that no trial changes, if something has to be run for them first; else none."""
    own = _own(planner.graph, changed)
    shared = [name for name in names if name not in own]
    plan = planner.plan_all(shared) if shared else ()
    return shared if any(decision.action in ("run", "waits") for decision in plan) else []


def _recorded(project: Project, taken: Taken, shared: list[str], **asked: object) -> Begun:
    from axil.formats.record import Sweep

    base = taken.base
    facts: dict[str, object] = {"experiment": base.experiment, "commit": base.commit, "snapshot": base.snapshot}
    sweep = Sweep(
        id=project.new_id(),
        time=project.clock(),
        author=base.author,
        data=dict(base.data),
        targets=list(base.targets),
        shared=shared,
        **facts,  # type: ignore[arg-type]
        **asked,  # type: ignore[arg-type]
    )
    project.journal.append([sweep], snapshots={sweep.id: sweep.snapshot})
    return Begun(sweep, taken.committed, taken.left_out)
