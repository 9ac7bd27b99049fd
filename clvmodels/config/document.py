"""YAML read strictly: plain values only, and the line and column of every key.

PyYAML follows YAML 1.1, in which `1e-3` is text, `no` is False, `010` is 8 and `12:30:00` is 45000. Here only
null, true, false and decimal numbers are more than text, as in YAML 1.2; all else stays as it was typed, so that the
field it stands in can say what it expects. Tags, anchors and aliases, which can run code or blow up, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clvmodels.errors import ConfigError, Problem
from clvmodels.strict import FrozenDict, KeyPath, dotted

Mark = tuple[int, int]
"""Line and column, counted from 1."""
BEGINNING: Mark = (1, 1)

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 20

_NUMBER = r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_CONSTRUCT: dict[str, tuple[str, Callable[[str], Any]]] = {
    "null": (r"~|null|Null|NULL|", lambda text: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", lambda text: text.lower() == "true"),
    "int": (r"[-+]?(?:0|[1-9][0-9]{0,3999})", int),
    "float": (rf"{_NUMBER}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", _float),
}
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML keeps them on the class


class _Dumper(yaml.SafeDumper):
    """Short collections on one line, lists indented, odd line breaks escaped (plain, they would be read as a space)."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML keeps them on the class

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def text(self, value: str) -> yaml.Node:
        style = '"' if set(value) & set("\x85\u2028\u2029\ufeff") else None
        return self.represent_scalar(_TAG + "str", value, style)


_Dumper.add_representer(str, _Dumper.text)


for _name, (_pattern, _construct) in _CONSTRUCT.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), None)


@dataclass(frozen=True)
class Document:
    """A YAML file's value, and where each of its parts stands.

    Parameters
    ----------
    value
        Dicts with text keys, lists, text, numbers, true, false and None.
    name
        The file's name, for messages.
    marks
        Path of a part -> (line, column) of its key and of its value, counted from 1.
    problems
        What is wrong with the file as YAML, such as a key given twice.
    """

    value: Any
    name: str = ""
    marks: Mapping[KeyPath, tuple[Mark, Mark]] = field(default_factory=lambda: FrozenDict({}))
    problems: tuple[tuple[Mark, Problem], ...] = ()

    def mark(self, path: KeyPath, *, key: bool = False) -> Mark:
        """Line and column of the nearest part of the file that holds `path`."""
        while path and path not in self.marks:
            path, key = path[:-1], True  # what is not there is told at the key that lacks it
        of_key, of_value = self.marks.get(path, (BEGINNING, BEGINNING))
        return of_key if key else of_value

    def where(self, path: KeyPath, *, key: bool = False) -> str:
        """`file.yaml:3:5: data.holdout`, or the key alone where there is no file."""
        keys = dotted(path)
        if not self.name:
            return keys
        place = _in_file(self.name, self.mark(path, key=key))
        return f"{place}: {keys}" if keys else place


def read_document(path: Path) -> Document:
    """Read a YAML file; raises ConfigError where it is no YAML or more than plain values."""
    try:
        text = path.read_bytes()[: 4 * MAX_CHARACTERS + 1].decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(Problem(f"Cannot read the file: {error.strerror}", str(path))) from error
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(f"Not a UTF-8 text, at byte {error.start}", str(path))) from error
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """As `read_document`, from the text itself; `name` is what messages call it."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(Problem(f"Longer than {MAX_CHARACTERS:,} characters: surely no experiment", name))
    try:
        problems = list(_refusals(text, name))
        if problems:
            raise ConfigError(problems)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = "Not valid YAML: " + ", ".join(filter(None, (error.context, error.problem)))
        remedy = "Put text with special characters, such as %, @, : or #, in quotes; indent with spaces"
        raise ConfigError(Problem(message, _place(name, mark), known=remedy)) from error
    except yaml.YAMLError as error:
        raise ConfigError(Problem(f"Not valid YAML: {str(error).splitlines()[0]}", name)) from error
    reader = _Reader(name)
    value = None if node is None else reader.value(node, ())
    return Document(value, name, FrozenDict(reader.marks), tuple(reader.problems))


def write_document(value: Any) -> str:
    """YAML text that `parse_document` reads back as the same value; short collections on one line."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


def _place(name: str, mark: yaml.Mark | None) -> str:
    return name if mark is None else _in_file(name, _counted_from_1(mark))


def _in_file(name: str, mark: Mark) -> str:
    line, column = mark
    return f"{name}:{line}:{column}"


def _counted_from_1(mark: yaml.Mark) -> Mark:
    return mark.line + 1, mark.column + 1


def _refusals(text: str, name: str) -> Iterator[Problem]:
    """What no experiment needs, met while the file is still a stream of events: before aliases blow up."""
    depth, documents = 0, 0
    event: Any
    for event in yaml.parse(text, Loader=_Loader):
        place = _place(name, event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            yield Problem(f"Aliases such as *{event.anchor} are not allowed", place, known="Write the value out")
        elif getattr(event, "anchor", None):
            remedy = "Write the value out where it is needed"
            yield Problem(f"Anchors such as &{event.anchor} are not allowed", place, known=remedy)
        if getattr(event, "tag", None):
            yield Problem(f"Tags such as {event.tag} are not allowed", place, known="Write plain text or a number")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents == 2:  # told once, however many follow
                yield Problem("A second document begins here", place, known="One experiment a file")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            remedy = "Look for brackets that are not closed"
            yield Problem(f"Nested deeper than {MAX_DEPTH} levels", place, known=remedy)
            return


class _Reader:
    """Plain values of YAML's nodes, with the marks of each and what is wrong with keys."""

    def __init__(self, name: str):
        self.name = name
        self.marks: dict[KeyPath, tuple[Mark, Mark]] = {}
        self.problems: list[tuple[Mark, Problem]] = []

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        mark = _counted_from_1(node.start_mark)
        self.marks.setdefault(path, (mark, mark))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(element, (*path, place)) for place, element in enumerate(node.value)]
        kind = node.tag.removeprefix(_TAG)
        if kind not in _CONSTRUCT:
            return node.value
        _, construct = _CONSTRUCT[kind]
        return construct(node.value)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            mark = _counted_from_1(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(mark, "A key must be a single word")
                continue
            inside = (*path, key.value)
            if key.value in mapping:
                (first_line, _), _ = self.marks[inside]
                self._refuse(mark, f"The key '{key.value}' stands here a second time, first at line {first_line}")
                continue
            self.marks[inside] = (mark, _counted_from_1(value.start_mark))
            mapping[key.value] = self.value(value, inside)
        return mapping

    def _refuse(self, mark: Mark, message: str) -> None:
        self.problems.append((mark, Problem(message, _in_file(self.name, mark))))


def as_mapping(value: Any) -> Mapping[str, Any]:
    """`value` where it is a mapping, else an empty one: for rules that look at files that may be wrong elsewhere."""
    return value if isinstance(value, dict) else {}
