"""The light `NamedTuple` behaves as that of `typing` does."""

from __future__ import annotations

import copy
import pickle
from typing import Any
from typing import NamedTuple as Real

import pytest

from axil.base.light import NamedTuple


class Light(NamedTuple):
    """A light one."""

    name: str
    size: int
    """A field's own words."""
    tags: tuple[str, ...] = ()
    seen: bool = False

    @property
    def double(self) -> int:
        """Computed."""
        return self.size * 2

    @classmethod
    def of(cls, name: str) -> Light:
        """Made in another way."""
        return cls(name, 0)


class Model(Real):
    name: str
    size: int
    tags: tuple[str, ...] = ()
    seen: bool = False


@pytest.mark.parametrize(
    ("values", "named"),
    [(("a", 1), {}), (("a",), {"size": 1}), ((), {"name": "a", "size": 1, "seen": True}), (("a", 1, ("t",), True), {})],
)
def test_it_is_made_from_the_same_arguments(values: Any, named: Any):
    light: Any = Light(*values, **named)
    model: Any = Model(*values, **named)
    assert light == model
    assert hash(light) == hash(model)
    assert light._asdict() == model._asdict()
    assert repr(light) == repr(model).replace("Model", "Light")
    assert (light.name, light.size, light.tags, light.seen) == tuple(model)


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), (("a",), {}), (("a", 1, (), True, 5), {}), (("a", 1), {"name": "b"}), (("a", 1), {"other": 2})],
)
def test_it_refuses_the_same_arguments(values: Any, named: Any):
    with pytest.raises(TypeError):
        Model(*values, **named)
    with pytest.raises(TypeError):
        Light(*values, **named)


def test_values_are_replaced_in_a_copy():
    light = Light("a", 1)
    changes: dict[str, Any] = {"other": 1}
    with pytest.raises(ValueError, match="other"):
        light._replace(**changes)
    assert type(light._replace()) is Light
    assert light._replace(size=2, seen=True) == Light("a", 2, (), True)
    assert light == Light("a", 1)


def test_it_is_a_plain_tuple_without_room_for_more():
    light = Light._make(("a", 1, (), False))
    assert isinstance(light, tuple)
    assert not hasattr(light, "__dict__")
    assert Light._fields == Model._fields
    assert Light._field_defaults == Model._field_defaults
    assert Light.__doc__ == "A light one."
    with pytest.raises(AttributeError):
        light.size = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Light._make(("a",))


def test_methods_patterns_and_copies_work():
    assert Light.of("a").double == 0
    match Light("a", 3):
        case Light(name, size):
            assert (name, size) == ("a", 3)
    light = Light("a", 3)
    for other in (copy.copy(light), copy.deepcopy(light), pickle.loads(pickle.dumps(light))):
        assert other == light
        assert type(other) is Light


def test_a_default_before_a_field_without_one_is_refused():
    metaclass: Any = type(Light)
    with pytest.raises(TypeError, match="without a default"):
        metaclass("Wrong", (NamedTuple,), {"__annotations__": {"a": "int", "b": "int"}, "a": 1})
