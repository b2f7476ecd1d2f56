"""The graph as text for a terminal, as Graphviz DOT and as Mermaid."""

from __future__ import annotations

from axil.pipeline.graph import Graph


def text(graph: Graph) -> str:
    """A tree: each stage once, under the stage it comes after; what else it waits for stands behind it."""
    lines: list[str] = []
    # A stage hangs under the last of its upstreams, when everything it waits for has been drawn above it.
    rank = {name: number for number, name in enumerate(graph.stages)}
    host = {name: max(above, key=rank.__getitem__) for name, above in graph.upstream.items() if above}
    below: dict[str, list[str]] = {}
    for name, other in host.items():
        below.setdefault(other, []).append(name)
    roots = [name for name in graph.stages if name not in host]
    stack = [(name, "", "") for name in reversed(roots)]
    while stack:
        name, lead, indent = stack.pop()
        others = [other for other in graph.upstream[name] if other != host.get(name)]
        lines.append(lead + name + (f"   (also after {', '.join(others)})" if others else ""))
        children = below.get(name, [])
        for number, child in reversed(list(enumerate(children))):
            last = number + 1 == len(children)
            stack.append((child, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  ")))
    return "".join(line + "\n" for line in lines)


def dot(graph: Graph) -> str:
    """Graphviz DOT, for `dot -Tsvg`."""
    lines = ["digraph pipeline {", "  node [shape=box];"]
    lines += [f"  {_quoted(name)};" for name in graph.stages]
    lines += [f"  {_quoted(a)} -> {_quoted(b)};" for b, above in graph.upstream.items() for a in above]
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart, as GitHub and GitLab show it in Markdown."""
    number = {name: f"s{index}" for index, name in enumerate(graph.stages)}
    lines = ["flowchart TD"]
    lines += [f'  {number[name]}["{_entity(name)}"]' for name in graph.stages]
    lines += [f"  {number[a]} --> {number[b]}" for b, above in graph.upstream.items() for a in above]
    return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _entity(name: str) -> str:
    return "".join(char if char.isalnum() or char in "_-. @" else f"#{ord(char)};" for char in name)
