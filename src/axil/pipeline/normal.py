"""Source files in short: a hash of what the code means, and what it imports (docs/formats/stage-key.md).

The hash of Python code does not depend on comments, blank lines, formatting, quotes, docstrings, nor on the Python
version that runs axil: it is made from the syntax tree, empty fields left out.
"""

from __future__ import annotations

from collections.abc import Callable

from axil.base.hashing import hash_bytes
from axil.base.light import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import ast

VERSION = "axil-code-1"
_SKIPPED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_MAX_SOURCE = 4 << 20


class Import(NamedTuple):
    """`import module` (no names) or `from <level dots>module import names`."""

    level: int
    module: str
    names: tuple[str, ...] = ()


class Summary(NamedTuple):
    """What matters of one source file."""

    hash: str
    imports: tuple[Import, ...] = ()
    exports: tuple[str, ...] = ()
    """Names in `__all__`: what `from package import *` may load as submodules."""
    commands: tuple[str, ...] = ()
    """The text of a shell script: its commands may start Python files."""
    scripts: tuple[tuple[str, str], ...] = ()
    """Console scripts that a pyproject.toml defines: name, module."""


def summarise(path: str, data: bytes) -> Summary:
    """The summary of the file `path` with the content `data`; what is not Python counts byte by byte. Never fails."""
    name = path.rpartition("/")[2]
    if name.endswith((".py", ".pyw")) or ("." not in name[1:] and _shebang(data, b"python")):
        return _python(data) or Summary(_raw(data))
    if name.endswith(".ipynb"):
        return _notebook(data) or Summary(_raw(data))
    if name == "pyproject.toml":
        return Summary(_raw(data), scripts=_scripts(data))
    if name.endswith((".sh", ".bash", ".zsh")) or _shebang(data, b"sh"):
        return Summary(_raw(data), commands=(data[:_MAX_SOURCE].decode("utf-8", "replace"),))
    return Summary(_raw(data))


def imports_of(code: str) -> tuple[Import, ...]:
    """What the Python text `code` imports (for `python -c`); nothing if it is not valid."""
    summary = _python(code.encode("utf-8", "surrogateescape"))
    return summary.imports if summary else ()


def _raw(data: bytes) -> str:
    return hash_bytes(b"raw\0" + data).hex()


def _shebang(data: bytes, program: bytes) -> bool:
    return data[:2] == b"#!" and program in data[:200].split(b"\n", 1)[0]


def _python(data: bytes, extra: str = "") -> Summary | None:
    """The summary of Python source; None if this Python cannot parse it."""
    import ast
    import warnings

    if len(data) > _MAX_SOURCE:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    dumper = _Dumper(ast)
    text = "\n".join([VERSION, _text(extra), *dumper.dump(tree)])
    digest = hash_bytes(text.encode("utf-8", "surrogatepass")).hex()
    return Summary(digest, tuple(dict.fromkeys(dumper.imports)), tuple(dumper.exports))


def _notebook(data: bytes) -> Summary | None:
    """A notebook by its code cells: outputs, counts and prose do not count."""
    try:
        import json

        cells = [cell["source"] for cell in json.loads(data)["cells"] if cell["cell_type"] == "code"]
        texts = ["".join(source) for source in cells]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    code: list[str] = []
    magic: list[str] = []
    for text in texts:
        if text.lstrip().startswith("%%"):
            magic.append(text)
            continue
        for line in text.split("\n"):
            (magic if line.lstrip().startswith(("%", "!", "?")) else code).append(line)
    source = "\n".join(code)
    found = _python(source.encode("utf-8", "surrogatepass"), "\n".join(magic))
    return found or Summary(_raw("\0".join(texts).encode("utf-8", "surrogatepass")))


def _scripts(data: bytes) -> tuple[tuple[str, str], ...]:
    import tomllib

    try:
        project = tomllib.loads(data.decode()).get("project", {})
        scripts = {**project.get("scripts", {}), **project.get("gui-scripts", {})}
        return tuple((str(name), str(target).partition(":")[0].strip()) for name, target in scripts.items())
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ()


def _text(text: str) -> str:
    """Length first, so that no text can be mistaken for structure."""
    return f"{len(text)}'{text}"


class _Dumper:
    """Turns a syntax tree into lines that are the same on every Python version, and notes imports on the way.

    Iterative: generated code may be nested deeper than Python's stack.
    """

    def __init__(self, ast_module: Any) -> None:
        self.imports: list[Import] = []
        self.exports: list[str] = []
        self.fields: dict[type, tuple[str, ...]] = {}
        ast = ast_module
        self.node = ast.AST
        self.constant = ast.Constant
        self.joined = ast.JoinedStr
        self.documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        self.expression = ast.Expr
        self.empty = [ast.Pass()]
        self.name, self.attribute, self.sequence = ast.Name, ast.Attribute, (ast.List, ast.Tuple)
        self.noted: dict[type, Callable[[Any], None]] = {
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Call: self._call,
            ast.Assign: self._assign,
        }

    def dump(self, tree: ast.AST) -> list[str]:
        """The lines of `tree`: each node as its name and the number of fields that follow, in their fixed order."""
        out: list[str] = []
        stack: list[Any] = [tree]
        while stack:
            item = stack.pop()
            kind = type(item)
            if kind is str:
                out.append(item)
            elif kind is list:
                out.append(f"[{len(item)}")
                stack.extend("-" if value is None else self._value(value) for value in reversed(item))
            elif kind is self.constant:
                out.append(_constant(item.value))
            else:
                note = self.noted.get(kind)
                if note is not None:
                    note(item)
                self._node(item, kind, out, stack)
        return out

    def _node(self, node: Any, kind: type, out: list[str], stack: list[Any]) -> None:
        fields = self.fields.get(kind)
        if fields is None:
            fields = self.fields[kind] = tuple(field for field in reversed(kind._fields) if field not in _SKIPPED)  # type: ignore[attr-defined]
        count = 0
        for field in fields:
            value = getattr(node, field, None)
            if value is None:
                continue
            if field == "body" and isinstance(node, self.documented):
                value = self._body(value)
            elif kind is self.joined:
                value = self._pieces(value)
            if value == []:
                continue
            count += 1
            stack.append(value if type(value) is list else self._value(value))
            stack.append("." + field)
        out.append(f"({kind.__name__} {count}")

    def _value(self, value: Any) -> Any:
        """A node stays; an identifier or a number becomes its line."""
        if isinstance(value, str):
            return _text(value)
        return value if isinstance(value, self.node) else f"#{value!r}"

    def _body(self, body: list[Any]) -> list[Any]:
        """A body without its docstring; one that only had a docstring equals `pass`."""
        if body and isinstance(body[0], self.expression) and isinstance(body[0].value, self.constant):
            body = body[1:] if isinstance(body[0].value.value, str) else body
        return body or self.empty

    def _pieces(self, values: list[Any]) -> list[Any]:
        """The parts of an f-string: Python versions cut its literal text differently."""
        pieces: list[Any] = []
        literal = ""
        for value in values:
            if isinstance(value, self.constant) and isinstance(value.value, str):
                literal += value.value
                continue
            pieces += [self.constant(literal), value] if literal else [value]
            literal = ""
        return [*pieces, self.constant(literal)] if literal else pieces

    def _import(self, node: Any) -> None:
        self.imports.extend(Import(0, alias.name) for alias in node.names)

    def _import_from(self, node: Any) -> None:
        self.imports.append(Import(node.level, node.module or "", tuple(alias.name for alias in node.names)))

    def _call(self, node: Any) -> None:
        """`importlib.import_module("x")` and `__import__("x")` with a literal name."""
        called = node.func
        name = called.attr if isinstance(called, self.attribute) else getattr(called, "id", "")
        if name not in ("import_module", "__import__") or not node.args or not isinstance(node.args[0], self.constant):
            return
        module = node.args[0].value
        if isinstance(module, str) and module.strip("."):
            level = len(module) - len(module.lstrip("."))
            self.imports.append(Import(level, module[level:]))

    def _assign(self, node: Any) -> None:
        if any(isinstance(target, self.name) and target.id == "__all__" for target in node.targets):
            items = node.value.elts if isinstance(node.value, self.sequence) else ()
            self.exports.extend(
                item.value for item in items if isinstance(item, self.constant) and isinstance(item.value, str)
            )


def _constant(value: Any) -> str:
    """A literal by type and value, exactly and without relying on how a Python version prints it."""
    if isinstance(value, str):
        return f"s{_text(value)}"
    if isinstance(value, bool) or value is None or value is ...:
        return f"k{value}"
    if isinstance(value, int):
        return f"i{value:x}"
    if isinstance(value, float):
        return f"f{value.hex()}"
    if isinstance(value, bytes):
        return f"b{value.hex()}"
    return f"c{value.real.hex()},{value.imag.hex()}"
