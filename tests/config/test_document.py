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
