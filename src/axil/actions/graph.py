"""The pipeline's graph as a value: stages, what each waits for, and drawings of it."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axil.pipeline.graph import Graph
    from axil.project import Project


class GraphNode(NamedTuple):
    """A stage and the stages it comes after."""

    stage: str
    after: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    """Everything it makes: outs, metrics and plots."""


class GraphView(NamedTuple):
    """The stages in running order, and the graph in three notations."""

    stages: tuple[GraphNode, ...]
    text: str
    dot: str
    mermaid: str


def graph(project: Project, targets: Sequence[str] = ()) -> GraphView:
    """The graph of the whole pipeline, or of what `targets` (stages or outputs) need.

    Raises `BadInput` for a graph that cannot run, `NotFound` for an unknown target.
    """
    from axil.pipeline import draw
    from axil.pipeline.graph import build

    whole = build(project.file.stages)
    shown = _restricted(whole, whole.subset(targets)) if targets else whole
    nodes = tuple(GraphNode(name, shown.upstream[name], stage.deps, stage.made) for name, stage in shown.stages.items())
    return GraphView(nodes, draw.text(shown), draw.dot(shown), draw.mermaid(shown))


def _restricted(graph: Graph, names: Sequence[str]) -> Graph:
    """`graph` with only the stages `names`, which hold all that they wait for."""
    from axil.pipeline.graph import build

    return build({name: graph.stages[name] for name in names})
