"""The search space of a sweep as it is typed: `train.lr=log(1e-4,1e-1)`, `model=mlp,cnn` (docs/formats/sweep.md).

Pure: text <-> values. A dimension that has finitely many values lists them, in order, for a grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from axil.base.light import Literal, NamedTuple
from axil.base.quickjson import canonical
from axil.errors import BadInput
from axil.formats.params import Value, parse_assignment, parse_value

Kind = Literal["choice", "uniform", "log", "int", "logint"]
MOST_POINTS = 100_000
"""A grid with more points than this is a mistake."""
_SHAPES: dict[str, Kind] = {"uniform": "uniform", "log": "log", "int": "int", "logint": "logint", "range": "int"}
_EXAMPLE = "write it as 'train.lr=log(1e-4,1e-1)', 'layers=int(1,4)', 'p=uniform(0,0.5)' or 'model=mlp,cnn'"


class Dimension(NamedTuple):
    """The values of one parameter: `choices`, or numbers from `low` to `high`, both ends included.

    `step` is the distance of whole numbers; `points` how many values a grid takes between the ends, 0 if not said.
    """

    kind: Kind
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: int = 1
    points: int = 0

    @property
    def values(self) -> tuple[Value, ...]:
        """All its values in order, as a grid takes them; () if there is no end to them."""
        if self.kind == "choice":
            return self.choices
        if self.kind == "int":
            return tuple(range(int(self.low), int(self.high) + 1, self.step))
        if not self.points:
            return tuple(range(int(self.low), int(self.high) + 1)) if self.kind == "logint" else ()
        return self._spread()

    def _spread(self) -> tuple[Value, ...]:
        """`points` values from end to end; evenly far from each other, or in their logarithms."""
        last = self.points - 1
        if self.kind == "uniform":
            return (*(self.low + (self.high - self.low) * n / last for n in range(last)), self.high)
        ends = math.log10(self.low), math.log10(self.high)
        found = [float(f"{10 ** (ends[0] + (ends[1] - ends[0]) * n / last):.12g}") for n in range(self.points)]
        found[0], found[-1] = self.low, self.high
        return tuple(dict.fromkeys(round(one) for one in found)) if self.kind == "logint" else tuple(found)

    def holds(self, value: Value) -> bool:
        """Whether `value` is one of its values."""
        if self.kind == "choice":
            return canonical(value) in [canonical(one) for one in self.choices]
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        whole = self.kind in ("uniform", "log") or (
            value == int(value) and (int(value) - int(self.low)) % self.step == 0
        )
        return self.low <= value <= self.high and whole


Space = dict[str, Dimension]
"""Parameter -> its values, in the order in which they were typed."""


def parse(words: Sequence[str]) -> Space:
    """The space that `words` (`key=VALUES` each) say. Raises `BadInput` naming the word."""
    found: Space = {}
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip()
        if not equals or not text.strip():
            raise BadInput(f"cannot read {word}", "a parameter and its values are wanted", _EXAMPLE)
        if key.startswith(("+", "~")) or key in found:
            why = f"`{key}` is given twice" if key in found else "a sweep changes parameters that exist"
            raise BadInput(f"cannot read {word}", why, _EXAMPLE)
        parse_assignment(f"{key}=0")
        found[key] = dimension(text.strip(), word)
    return found


def written(words: Sequence[str]) -> dict[str, str]:
    """Key -> values as they were typed, of words that `parse` has read."""
    return {key.strip(): text.strip() for key, _, text in (word.partition("=") for word in words)}


def of_record(space: Mapping[str, str], keys: Sequence[str] = ()) -> Space:
    """The space a record holds (`written`), in the order of `keys`; what is not among them follows by name."""
    order = [key for key in dict.fromkeys([*keys, *sorted(space)]) if key in space]
    return parse([f"{key}={space[key]}" for key in order])


def dimension(text: str, source: str) -> Dimension:
    """The values `text` says: `log(low,high)`, `int(low,high,step)`, …, or values with commas between them."""
    shape, opened, inside = text.partition("(")
    if opened and text.endswith(")") and shape.strip().isidentifier():
        name = shape.strip()
        if name not in _SHAPES:
            raise BadInput(
                f"cannot read {source}", f"there is no `{name}(…)`; there are: {', '.join(_SHAPES)}", _EXAMPLE
            )
        return _range(name, [part.strip() for part in inside[:-1].split(",")], source)
    choices = tuple(parse_value(part.strip()) for part in _split(text, source))
    if len({canonical(one) for one in choices}) < len(choices):
        raise BadInput(f"cannot read {source}", "a value is there twice", "name each value once")
    return Dimension("choice", choices)


def _range(name: str, parts: Sequence[str], source: str) -> Dimension:
    kind = _SHAPES[name]
    numbers = [_number(part, source) for part in parts]
    whole = kind in ("int", "logint")
    if not 2 <= len(numbers) <= 3 or any(number != int(number) for number in numbers[2:] + (numbers if whole else [])):
        third = "step" if kind == "int" else "points of a grid"
        why = f"`{name}` takes low, high and, if wanted, the {third}{', whole numbers' if whole else ''}"
        raise BadInput(f"cannot read {source}", why, _EXAMPLE)
    low, high, third_one = numbers[0], numbers[1], int(numbers[2]) if len(numbers) == 3 else 0
    if name == "range":
        high -= 1  # As Python's: the end is not part of it.
    if low > high or (kind in ("log", "logint") and low <= 0) or (kind == "uniform" and not math.isfinite(high - low)):
        why = "low must be above 0 for a logarithm" if low <= high else "the lower end comes first"
        raise BadInput(f"cannot read {source}", why, _EXAMPLE)
    if len(numbers) == 3 and third_one < (1 if kind == "int" else 2):
        raise BadInput(f"cannot read {source}", f"{third_one} is too small", _EXAMPLE)
    if kind == "int":
        return Dimension(kind, low=low, high=high, step=third_one or 1)
    return Dimension(kind, low=low, high=high, points=third_one)


def _number(text: str, source: str) -> float:
    value = parse_value(text) if text else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 2**53:
        raise BadInput(f"cannot read {source}", f"{text!r} is not a number", _EXAMPLE)
    return float(value)


def _split(text: str, source: str) -> Iterator[str]:
    """The parts of `text` between commas that are in no brackets and no quotes."""
    depth, quote, start = 0, "", 0
    for place, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and not text[start:place].strip():
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and depth <= 0:
            yield _part(text[start:place], source)
            start = place + 1
    if quote or depth:
        why = "a bracket is not opened" if depth < 0 else f"a {quote or 'bracket'} is not closed"
        raise BadInput(f"cannot read {source}", why, _EXAMPLE)
    yield _part(text[start:], source)


def _part(text: str, source: str) -> str:
    if not text.strip():
        raise BadInput(f"cannot read {source}", "there is nothing between two commas", _EXAMPLE)
    return text


def grid_size(space: Space) -> int:
    """How many points the grid of `space` has; 0 if a dimension has no end. Raises `BadInput` beyond a limit."""
    size = 1
    for dimension in space.values():
        if dimension.kind in ("int", "logint") and dimension.high - dimension.low > MOST_POINTS * dimension.step:
            return 0
        size *= len(dimension.values)
        if size > MOST_POINTS:
            raise BadInput(f"the grid has more than {MOST_POINTS} points", "", "give fewer values, or --sampler random")
    return size


def grid_point(space: Space, number: int) -> dict[str, Value]:
    """The point `number` (from 0) of the grid; the last parameter changes fastest."""
    point: dict[str, Value] = {}
    for key, dimension in reversed(space.items()):
        number, place = divmod(number, len(dimension.values))
        point[key] = dimension.values[place]
    return {key: point[key] for key in space}
