"""YAML read strictly: plain values, exact places, and whatever else a file may hold is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.config.document import parse_document, read_document, write_document
from clvmodels.config.experiment import load_experiment
from clvmodels.errors import ConfigError

REFUSED = {
    "tag": ("title: !!python/object/apply:os.system [ls]", "Tags such as"),
    "anchor": ("title: &a text", "Anchors such as &a"),
    "alias": ("title: &a text\ndata: *a", "Aliases such as *a"),
    "two documents": ("title: a\n---\ntitle: b", "second document"),
    "per cent": ("date_format: %d/%m", "in quotes"),
    "tab": ("title:\n\tx: 1", "indent with spaces"),
    "unclosed": ("data: {dataset: cdnow", "Not valid YAML"),
    "brackets": ("title: " + "[" * 500, "Nested deeper"),
    "control character": ("title: a\x07b", "Not valid YAML"),
    "empty": ("", "mapping of keys"),
    "list": ("- title", "mapping of keys"),
    "long": ("title: " + "x" * 1_000_001, "Longer than"),
    "key of keys": ("? {a: b}\n: c\n" + "title: t\n", "single word"),
}


@pytest.mark.parametrize(("text", "phrase"), REFUSED.values(), ids=REFUSED)
def test_what_no_experiment_needs_is_refused(tmp_path, text, phrase):
    (tmp_path / "e.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_experiment(tmp_path / "e.yaml")
    assert phrase in str(caught.value)


def test_files_that_are_no_text_or_are_not_there(tmp_path):
    (tmp_path / "e.yaml").write_bytes("title: caf\xe9".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load_experiment(tmp_path / "e.yaml")
    with pytest.raises(ConfigError, match="No such file"):
        load_experiment(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="directory"):
        load_experiment(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    (tmp_path / "e.yaml").write_text("\ufefftitle: t", encoding="utf-8")
    assert read_document(tmp_path / "e.yaml").value == {"title": "t"}


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc:#-'\" 01", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_what_is_written_is_read_back(value):
    document = parse_document(write_document(value), "e.yaml")
    assert document.value == value
    assert not document.problems


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_any_text_is_read_or_refused_but_never_breaks(text):
    try:
        parse_document(text, "e.yaml")
    except ConfigError as error:
        assert str(error).startswith("e.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.5E+3", 1500.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("+7", 7),
        ("0", 0),
        ("true", True),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("1997-09-30", "1997-09-30"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_scalars(text, value):
    read = parse_document(f"[{text}]" if text else "", "e.yaml").value
    assert read == ([value] if text else None)
    assert not text or type(read[0]) is type(value)


def test_places_are_those_of_the_file():
    document = parse_document("a: 1\nb:\n  - c: [2,\n        3]\n", "e.yaml")
    assert document.where(("b", 0, "c", 1)) == "e.yaml:4:9: b[0].c[1]"
    assert document.where(("b", 0, "c"), key=True) == "e.yaml:3:5: b[0].c"
    assert document.where(("b", 0, "missing")) == "e.yaml:3:5: b[0].missing"
    assert document.where(()) == "e.yaml:1:1"


MISPLACED = {  # a file that is wrong somewhere below its first line, and the place of each problem
    "tag": ("title: t\n\ndata:\n  x: !!python/object/apply:os.system [ls]\n", ["4:6: Tags such as"]),
    "anchor": ("title: t\ndata:\n  - &a text\n", ["3:5: Anchors such as &a"]),
    "alias": ("title: &a t\ndata:\n  deep: *a\n", ["1:8: Anchors such as &a", "3:9: Aliases such as *a"]),
    "two documents": ("title: a\n\n---\ntitle: b\n", ["3:1: A second document begins here"]),
    "per cent": ("title: t\ndate_format: %d/%m\n", ["2:14: Not valid YAML"]),
    "tab": ("title:\n\tx: 1\n", ["2:1: Not valid YAML"]),
    "unclosed": ("title: t\ndata: {dataset: cdnow\n", ["3:1: Not valid YAML"]),
    "brackets": ("title: t\nx:\n  " + "[" * 500, ["3:22: Nested deeper"]),  # the 20th: the file itself is a level
    "key of keys": ("title: t\n? {a: b}\n: c\n", ["2:3: A key must be a single word"]),
    "key twice": (
        "title: a\n\ndata: {x: 1,\n  y: 2, x: 3}\ntitle: b\n",
        [
            "4:9: The key 'x' stands here a second time, first at line 3",
            "5:1: The key 'title' stands here a second time, first at line 1",
        ],
    ),
}


def places(text: str) -> list[str]:
    """What is wrong with a file, each with its line and column."""
    try:
        found = [problem for _, problem in parse_document(text, "e.yaml").problems]
    except ConfigError as error:
        found = list(error.problems)
    return [str(problem) for problem in found]


@pytest.mark.parametrize(("text", "told"), MISPLACED.values(), ids=MISPLACED)
def test_problems_are_told_at_their_line_and_column(text, told):
    found = places(text)
    assert len(found) == len(told)
    for problem, start in zip(found, told, strict=True):
        assert problem.startswith(f"e.yaml:{start}")


def test_a_problem_of_a_duplicate_key_is_marked_where_it_stands():
    document = parse_document(MISPLACED["key twice"][0], "e.yaml")
    assert [mark for mark, _ in document.problems] == [(4, 9), (5, 1)]
    assert document.mark(("data", "y")) == (4, 6)
    assert document.mark(("data", "y"), key=True) == (4, 3)
