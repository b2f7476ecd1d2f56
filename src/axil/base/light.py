"""The words of `typing` that axil's modules use while they run, without `typing`.

Importing `typing` takes as long as starting Python does, most of it for regular expressions, and its `NamedTuple`
compiles a constructor for every class. Type checkers see the real ones, so modules import from here what they would
import from there.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it as true

if TYPE_CHECKING:
    from typing import Any as Any
    from typing import BinaryIO as BinaryIO
    from typing import Literal as Literal
    from typing import NamedTuple as NamedTuple
    from typing import NoReturn as NoReturn
    from typing import Protocol as Protocol
    from typing import TextIO as TextIO
    from typing import TypeVar as TypeVar
    from typing import cast as cast
else:
    from collections import _tuplegetter as _getter

    _new = tuple.__new__

    class _Fields(type):
        """Makes the annotated names of a class its fields, in their order, and the values given there defaults."""

        def __new__(meta, name, bases, body):
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body[field] for field in fields if field in body}
            if list(defaults) != list(fields[len(fields) - len(defaults) :]):
                raise TypeError(f"a field of {name} without a default follows one that has one")
            body |= {field: _getter(position, "") for position, field in enumerate(fields)}
            body |= {"__slots__": (), "_fields": fields, "__match_args__": fields, "_field_defaults": defaults}
            return super().__new__(meta, name, bases, body)

    class NamedTuple(tuple, metaclass=_Fields):
        """What `typing.NamedTuple` is; one constructor serves all classes."""

        def __new__(cls, /, *values, **named):
            if named or len(values) != len(cls._fields):
                values = _completed(cls, values, named)
            return _new(cls, values)

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, /, **changes):
            values = tuple(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"{type(self).__name__} has no {', '.join(changes)}")
            return _new(type(self), values)

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

    def _completed(cls, values, named):
        """All values of a new `cls`; wrong arguments raise the `TypeError` of a function with these parameters."""
        fields, defaults = cls._fields, cls._field_defaults
        if len(values) > len(fields):
            raise TypeError(f"{cls.__name__} takes {len(fields)} values, not {len(values)}")
        try:
            rest = [named.pop(name) if name in named else defaults[name] for name in fields[len(values) :]]
        except KeyError as missing:
            raise TypeError(f"{cls.__name__} misses {missing}") from None
        for name in named:
            raise TypeError(f"{cls.__name__} got {name!r} {'twice' if name in fields else 'and does not know it'}")
        return (*values, *rest)

    class _Hint(type):
        def __getitem__(cls, _):
            return cls

    class Any(metaclass=_Hint):
        """Stands for every hint that means nothing while a program runs."""

    Literal = BinaryIO = TextIO = NoReturn = Any

    class Protocol:
        """A class that only says what is expected of others."""

    def TypeVar(name):  # noqa: N802
        return Any

    def cast(_, value):
        return value
