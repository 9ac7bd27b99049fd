"""Tables come back as they were stored, whatever their text looks like."""

from __future__ import annotations

import json
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from clvmodels.errors import ResultsError
from clvmodels.figures.figure import typed
from clvmodels.results.tables import SCHEMA, named, read_tables, store_tables, types_of

AWKWARD = ["007", "1e5", "NA", "null", "nan", "None", "True", "1.0", "-0", "inf", "2025-01-01", "a, b", 'q"', "x\ny"]
DAYS = pd.to_datetime(["2025-06-30", None, "2025-12-29"])


def again(folder, table: pd.DataFrame) -> pd.DataFrame:
    store_tables(folder, {"tables/one": table})
    return read_tables(folder, ["tables/one", "tables/absent"])["tables/one"]


def test_text_is_never_taken_for_anything_else(tmp_path):
    table = pd.DataFrame({"id": AWKWARD, "group": AWKWARD[::-1], "number": np.arange(len(AWKWARD)) + 0.5})
    pd.testing.assert_frame_equal(again(tmp_path, table), table)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pd.Series(["a", None, "b"], dtype="str"), "text"),
        (pd.Series([None, None, None], dtype="str"), "text"),
        (pd.Series([1, 2, 2**53 + 1]), "integer"),
        (pd.Series([1, None, 3], dtype="Int64"), "integer"),
        (pd.Series([0.1, np.nan, 1 / 3]), "number"),
        (pd.Series([np.inf, -np.inf, 5e-324]), "number"),
        (pd.Series([1.0, 2.0, 3.0]), "number"),
        (pd.Series([True, False, True]), "truth"),
        (pd.Series([True, np.nan, False], dtype=object), "truth"),
        (pd.Series(DAYS), "date"),
        (pd.Series([], dtype="int64"), "integer"),
    ],
)
def test_a_column_comes_back_with_its_type(column, kind, tmp_path):
    table = pd.DataFrame({"a": column, "b": np.arange(len(column))})
    assert types_of(table) == {"a": kind, "b": "integer"}
    back = again(tmp_path, table)
    pd.testing.assert_frame_equal(back, table, check_exact=True, check_dtype=kind != "date")
    assert types_of(back) == types_of(table)


@settings(max_examples=60)
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1), min_size=1, max_size=5),
    number=st.floats(allow_nan=False),
)
def test_any_text_and_any_number_come_back(texts, number, tmp_path_factory):
    table = pd.DataFrame({"text": pd.Series(texts, dtype="str"), "number": number})
    back = again(tmp_path_factory.mktemp("t"), table)
    assert back["text"].tolist() == texts and (back["number"] == number).all()


def test_a_folder_without_types_or_with_other_columns_is_refused(tmp_path):
    store_tables(tmp_path, {"one": pd.DataFrame({"a": [1, 2]}), "two": pd.DataFrame({"a": ["x"]})})
    (tmp_path / "one.csv").write_text("a\n1\nmany\n", encoding="utf-8")
    with pytest.raises(ResultsError, match="column 'a' does not hold integer"):
        read_tables(tmp_path, ["one"])
    (tmp_path / "one.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ResultsError, match="other columns than it was stored with"):
        read_tables(tmp_path, ["one"])
    (tmp_path / SCHEMA).write_text(json.dumps({"two": {"a": "text"}}), encoding="utf-8")
    with pytest.raises(ResultsError, match="says nothing of the table 'one'"):
        read_tables(tmp_path, ["one", "two"])
    (tmp_path / SCHEMA).unlink()
    with pytest.raises(ResultsError, match=r"schema\.json"):
        read_tables(tmp_path, ["two"])
    assert read_tables(tmp_path, ["three"]) == {}


class Several(NamedTuple):
    """Two kinds of rows."""

    rows: pd.DataFrame
    none: pd.DataFrame


def test_several_tables_are_stored_apart_and_one_of_no_rows_keeps_its_types(tmp_path):
    rows = pd.DataFrame({"name": ["007", None], "at": [0.1, 2.0]})
    none = typed([], name=str, number=int, share=float, holds=bool)
    tables = named("tables/one", Several(rows, none))
    assert list(tables) == ["tables/one.rows", "tables/one.none"]
    store_tables(tmp_path, tables)
    again = read_tables(tmp_path, tables)
    assert again["tables/one.rows"]["name"].tolist()[0] == "007"
    back = again["tables/one.none"]
    assert back.empty and list(back) == list(none)
    assert [back[name].dtype for name in ("number", "share", "holds")] == [np.dtype(t) for t in ("i8", "f8", "?")]
    assert named("tables/one", rows).keys() == {"tables/one"}
