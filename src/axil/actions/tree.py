"""The experiments as they descend from each other, each with its best result beside its parent's."""

from __future__ import annotations

from collections import defaultdict

from axil.actions.experiments import experiments
from axil.base.light import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from axil.actions.replicates import Replicates
    from axil.journal.rows import Experiment, Summary
    from axil.project import Project


class TreeNode(NamedTuple):
    """One experiment in the tree; `depth` counts its ancestors, `last` says it is its parent's last child."""

    name: str
    parent: str | None
    depth: int
    last: bool
    inferred: bool
    current: bool
    archived: bool
    hypothesis: str
    value: float | None
    """The headline metric: best value among the succeeded runs; if the latest result is of replicates, their mean."""
    run: str
    """The run that reached it; of replicates the newest."""
    change: float | None
    """`value` less the parent's."""
    better: bool | None
    """Whether the change is in the metric's direction; None if there is none, or if it is within noise."""
    state: str
    """Of the newest run, "" if there is no run."""
    runs: int
    time: float
    """Of the newest run, else of the fork; seconds since the epoch."""
    remote: str = ""
    """The git remote that has its branch, if this clone has none of its own yet."""
    within_noise: bool = False
    """Whether the change may as well be none, as the replicates scatter."""
    group: str = ""
    """The replicates whose mean `value` is, "" for a single run."""
    half: float | None = None
    """The true mean lies within `value` ± this, 95 times of 100."""
    seeds: int = 0
    """How many replicates `value` is the mean of."""
    of: int = 0
    """How many there were to be."""


class ExperimentTree(NamedTuple):
    """All experiments depth first, every parent before its children; `metric` is the headline ("" if none is set)."""

    metric: str
    direction: str
    nodes: tuple[TreeNode, ...]


def tree(project: Project, *, archived: bool = False) -> ExperimentTree:
    """The tree of all experiments, with the archived ones if `archived`."""
    found = experiments(project)
    metric = project.file.headline
    direction = project.file.metrics.get(metric, "max")
    results = project.journal.summaries(metric or None, direction)
    grouped = _groups(project, results.values())
    shown = {name for name, experiment in found.items() if archived or not experiment.archived}
    children: dict[str | None, list[str]] = defaultdict(list)
    for name in sorted(shown, key=lambda name: (found[name].created, name)):
        children[_shown_parent(name, found, shown)].append(name)
    nodes: list[TreeNode] = []
    # A stack, not recursion: a thousand forks of forks are a legal tree.
    stack = [(name, 0, place == 0) for place, name in enumerate(reversed(children[None]))]
    while stack:
        name, depth, last = stack.pop()
        parent = _shown_parent(name, found, shown)
        base = results.get(found[parent].identity) if parent else None
        nodes.append(
            _node(project, found[name], parent, depth, last, results.get(found[name].identity), base, direction)
        )
        nodes[-1] = _with_noise(nodes[-1], base, grouped, metric)
        stack += [(child, depth + 1, place == 0) for place, child in enumerate(reversed(children[name]))]
    return ExperimentTree(metric, direction, tuple(nodes))


def _shown_parent(name: str, found: dict[str, Experiment], shown: set[str]) -> str | None:
    """The nearest ancestor that is shown: below an archived or deleted one its children move up."""
    seen = {name}
    parent = found[name].parent
    while parent is not None and parent not in shown:
        if parent in seen or parent not in found:
            return None
        seen.add(parent)
        parent = found[parent].parent
    return None if parent in seen else parent


def _groups(project: Project, results: Iterable[Summary]) -> dict[str, Replicates]:
    """The groups of replicates whose means are headlines."""
    wanted = [one.group for one in results if one.group]
    if not wanted:
        return {}
    from axil.actions.replicates import taken_together

    return taken_together(project, wanted)


def _with_noise(node: TreeNode, base: Summary | None, groups: dict[str, Replicates], metric: str) -> TreeNode:
    """`node` with the interval of its value, and whether its change is more than chance."""
    if not node.group and not (base and base.group):
        return node
    from axil.base.statistics import Interval, difference, within_noise

    def known(group: str, value: float) -> Interval:
        return groups[group].metrics[metric] if group else Interval(value, None, 1)

    if node.value is None:
        return node
    own = known(node.group, node.value)
    if node.group:
        node = node._replace(half=own.half, seeds=groups[node.group].succeeded, of=groups[node.group].of)
    if base is not None and base.best is not None and within_noise(difference(known(base.group, base.best), own)):
        node = node._replace(within_noise=True, better=None)
    return node


def _node(
    project: Project,
    experiment: Experiment,
    parent: str | None,
    depth: int,
    last: bool,
    own: Summary | None,
    base: Summary | None,
    direction: str,
) -> TreeNode:
    value = own.best if own else None
    change = value - base.best if value is not None and base and base.best is not None else None
    return TreeNode(
        name=experiment.name,
        parent=parent,
        depth=depth,
        last=last,
        inferred=experiment.inferred,
        current=experiment.name == project.head.branch,
        archived=experiment.archived,
        hypothesis=experiment.hypothesis,
        value=value,
        run=own.best_run if own else "",
        change=change,
        better=None if not change else (change > 0) == (direction == "max"),
        state=own.state if own else "",
        runs=own.runs if own else 0,
        time=own.time if own else experiment.created,
        remote=experiment.remote,
        group=own.group if own else "",
    )
