"""Strict dataclasses: what a class says of its fields is refused in Python as in an experiment file, in the same words.

A rule stands once, on the class: types and ranges are its annotations, combinations its field validators, advice the
description of a field. An experiment file reads the same classes and only adds where in the file a problem stands.
"""

from __future__ import annotations

import functools
import json
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ArgsKwargs, SchemaValidator

from clvmodels.errors import ConfigError, Problem, unknown

KeyPath = tuple[str | int, ...]
"""Keys and places in lists that lead to a part of something nested."""

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
"""No unknown keys, no silent conversions, no infinite numbers."""

Text = Annotated[str, Field(min_length=1, max_length=500)]
Share = Annotated[float, Field(ge=0, le=1, description="A share: 0.3 means 30%")]
Money = Annotated[float, Field(ge=0, description="An amount in the currency")]

_MISSPELT = ("extra_forbidden", "unexpected_keyword_argument")
"""A key that a class does not have, in pydantic's words for a model and for a dataclass."""
_MISSING = ("missing", "missing_argument")
_WORDS = {
    "dataclass_type": "Must be a mapping of keys, as in {a: 1, b: 2}",
    "string_type": "Must be text",
    "string_too_short": "Must not be empty",
    "string_pattern_mismatch": "Is not written as it should be",
    "int_type": "Must be a whole number",
    "float_type": "Must be a number",
    "bool_type": "Must be true or false, in these words",
    "tuple_type": "Must be a list, as in [a, b]",
    "dict_type": "Must be a mapping of keys, as in {a: 1, b: 2}",
    "model_type": "Must be a mapping of keys, as in {a: 1, b: 2}",
    "finite_number": "Must be a finite number",
}


class Combination(ConfigError):
    """Raised by a field's validator about several fields: the paths of its problems begin at the class."""


class FrozenDict[K, V](Mapping[K, V]):
    """A mapping that nobody changes; equal to the dict of the same items."""

    def __init__(self, items: Mapping[K, V]):
        self._items = dict(items)

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def frozen(value: Any) -> Any:
    """Dicts and lists, however nested, as what nobody changes."""
    if isinstance(value, Mapping):
        return FrozenDict({key: frozen(item) for key, item in value.items()})
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


def thawed(value: Any) -> Any:
    """The dicts and lists that `frozen` was given."""
    if isinstance(value, Mapping):
        return {key: thawed(item) for key, item in value.items()}
    return [thawed(item) for item in value] if isinstance(value, tuple) else value


def strict[T](cls: type[T]) -> type[T]:
    """A frozen dataclass whose construction raises ConfigError with every problem of its arguments.

    NumPy's numbers count as Python's, and lists as tuples.
    """
    checked: Any = cls
    checked.__pydantic_config__ = STRICT
    names = _keys(cls)

    @functools.wraps(checked.__init__)
    def construct(self: T, *args: Any, **kwargs: Any) -> None:
        if len(args) > len(names):
            raise TypeError(f"{cls.__name__} takes {len(names)} arguments, and {len(args)} are given")
        arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        plain = {name: _as_python(value) for name, value in arguments.items()}
        try:
            _validator(checked).validate_python(ArgsKwargs((), plain), self_instance=self)
        except ValidationError as error:
            raise ConfigError([_in_python(problem, cls) for problem in problems_of(error, cls)]) from None

    checked.__init__ = construct
    return cls


@functools.cache
def _validator(cls: Any) -> SchemaValidator:
    """Made at the first construction, when all annotations of the class's module can be resolved."""
    return typing.cast(SchemaValidator, TypeAdapter(cls).validator)


def _as_python(value: Any) -> Any:
    is_number_of_numpy = getattr(value, "ndim", None) == 0
    if is_number_of_numpy:
        return value.item()
    return tuple(value) if isinstance(value, list) else value


def _in_python(problem: Problem, cls: type) -> Problem:
    """A problem that stands at an argument: `Economics.margin`."""
    return replace(problem, where=dotted((cls.__name__, *problem.path)))


def dotted(path: KeyPath) -> str:
    """`models.bg.effects[0]`.

    >>> dotted(("models", "bg", "effects", 0))
    'models.bg.effects[0]'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


# --------------------------------------------------------------------------------------------- pydantic's words as ours


def problems_of(error: ValidationError, cls: type) -> Iterator[Problem]:
    """Pydantic's errors of a class as problems that say what is allowed, in the order of its fields."""
    for item in error.errors(include_url=False):
        path: KeyPath = tuple(part for part in item["loc"] if part != "[key]")
        raised = item.get("ctx", {}).get("error")
        if isinstance(raised, ConfigError):
            start = path[:-1] if isinstance(raised, Combination) else path
            for problem in raised.problems:
                yield replace(problem, path=(*start, *problem.path))
        else:
            at_key = item["type"] in (*_MISSPELT, *_MISSING)
            yield replace(_problem(cls, path, dict(item)), path=path, at_key=at_key)


def _problem(cls: type, path: KeyPath, item: Mapping[str, Any]) -> Problem:
    if item["type"] in _MISSPELT:
        return unknown("key", path[-1], _keys(_class_at(cls, path[:-1])))
    if item["type"] in _MISSING:
        return Problem(f"The key '{path[-1]}' is missing")
    own_words = item["msg"].removeprefix("Value error, ").replace("Input should", "Must")
    what = _WORDS.get(item["type"], own_words)
    if item["type"] == "too_short":
        what = f"Must have at least {item['ctx']['min_length']} of them"
    advice = _description(cls, path) or _advice(item["type"], item["input"])
    return Problem(what[0].upper() + what[1:], got=_shown(item["input"]), known=advice)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def _advice(kind: str, value: Any) -> str:
    """A hint for text that stands where YAML 1.1 would have seen a number, or the other way round."""
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "Put it in quotes"
    if kind in ("int_type", "float_type") and isinstance(value, str) and re.match(r"[-+]?[.\d]", value):
        return "Write numbers as plain decimals without quotes, such as 1000, 0.12 or 1e-3"
    return ""


# -------------------------------------------------------------------------------------------- what stands at a key


def _class_at(cls: type, path: KeyPath) -> type:
    """The class of the part at `path`, found through the annotations."""
    for part in path:
        if part in _keys(cls):
            cls = next(_classes(_annotations(cls)[str(part)]), cls)
    return cls


def _description(cls: type, path: KeyPath) -> str:
    """What the last named field of a path says of its values."""
    names = [place for place, part in enumerate(path) if isinstance(part, str)]
    if not names:
        return ""
    owner, name = _class_at(cls, path[: names[-1]]), str(path[names[-1]])
    if name not in _keys(owner):
        return ""
    return next(_descriptions(_annotations(owner)[name]), "")


def _annotations(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


def _keys(cls: type) -> list[str]:
    if issubclass(cls, BaseModel):
        return list(cls.model_fields)
    return [field.name for field in fields(cls)] if is_dataclass(cls) else []


def _classes(annotation: Any) -> Iterator[type]:
    """The classes with keys of their own among the parts of an annotation."""
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation)):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _classes(argument)


def _descriptions(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, FieldInfo) and annotation.description:
        yield annotation.description
    for argument in (*getattr(annotation, "__metadata__", ()), *typing.get_args(annotation)):
        yield from _descriptions(argument)
