"""Keys to customers: rules, merges followed to the end, circles refused, conflicts listed and never decided."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.errors import DataError
from clvmodels.sources.identity import CUSTOMER, RULES, Identity, known_systems, normal, read_identity
from clvmodels.sources.reading import connect

BACKEND = connect()


def identity(rows, rules=None) -> Identity:
    frame = pd.DataFrame(rows, columns=["system", "key", "customer_id"], dtype="str")
    frame = frame.assign(source="ids", where="ids.csv", row=range(len(frame)), line=range(2, len(frame) + 2))
    return read_identity(BACKEND, BACKEND.create_table(ibis.util.gen_name("ids"), frame), rules or {})


def resolved(found: Identity, system: str, keys) -> list[tuple]:
    table = BACKEND.create_table(ibis.util.gen_name("rows"), pd.DataFrame({"row": range(len(keys)), "c0": keys}))
    frame = found.resolve(table, "c0", system).order_by("row").execute()
    assert len(frame) == len(keys)
    return [tuple(None if pd.isna(v) else v for v in row) for row in frame[["owner", "unowned"]].to_numpy()]


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("exact", " Ab 1 ", "Ab 1"),
        ("exact", "  ", None),
        ("email", " Jo.Do@Ex.COM ", "jo.do@ex.com"),
        ("digits", "+49 (0)30-12", "4903012"),
        ("digits", "none", None),
        ("code", " ab-12 c ", "AB12C"),
        ("exact", "=1+1", "=1+1"),
        ("email", "<B>@x", "<b>@x"),
    ],
)
def test_rules(rule, text, expected):
    column = BACKEND.create_table(ibis.util.gen_name("text"), pd.DataFrame({"t": [text]})).t
    found = normal(column, rule).execute().iloc[0]
    assert (None if pd.isna(found) else found) == expected
    assert set(RULES) == {"exact", "email", "digits", "code"}


def test_the_rule_of_a_system_is_that_of_its_keys_on_both_sides():
    found = identity([("email", "Jo@X.org", "1"), ("card", "00 17", "2")], {"email": "email", "card": "digits"})
    assert resolved(found, "email", ["jo@x.ORG ", "no@x.org", None, " "]) == [
        ("1", None),
        (None, "key is in no identity table"),
        (None, "no customer id"),
        (None, "no customer id"),
    ]
    assert resolved(found, "card", ["0017", "17"]) == [("2", None), (None, "key is in no identity table")]
    assert known_systems(found) == [CUSTOMER, "card", "email"]


def test_without_a_table_every_key_is_the_customer():
    assert resolved(Identity(), "whatever", [" a", ""]) == [("a", None), (None, "no customer id")]


def test_merges_are_followed_to_the_end():
    chain = [(CUSTOMER, f"c{i}", f"c{i + 1}") for i in range(100)]
    found = identity([*chain, ("card", "7", "c3"), (CUSTOMER, "c100", "c100")])
    assert resolved(found, "card", ["7"]) == [("c100", None)]
    assert resolved(found, CUSTOMER, ["c0", "c99", "c100", "new"]) == [
        ("c100", None),
        ("c100", None),
        ("c100", None),
        ("new", None),
    ]
    assert set(found.merged["customer_id"]) == {"c100"} and len(found.merged) == 100
    assert found.merged.loc[found.merged["merged"] == "c5", "line"].item() == 7


@pytest.mark.parametrize("length", [2, 3, 7])
def test_a_circle_is_refused_with_its_ids_and_lines(length):
    ring = [(CUSTOMER, f"r{i}", f"r{(i + 1) % length}") for i in range(length)]
    with pytest.raises(DataError) as caught:
        identity([("card", "1", "r0"), (CUSTOMER, "in", "r0"), *ring])
    text = str(caught.value)
    assert text.startswith("ids.csv: customers were merged in a circle, at lines 4, 5")
    assert "r0 -> r1" in text and "-> r0" in text and "'in'" not in text


def test_every_circle_is_told():
    rings = [(CUSTOMER, f"{a}{i}", f"{a}{1 - i}") for a in "ab" for i in (0, 1)]
    with pytest.raises(DataError, match="2 problems") as caught:
        identity(rings)
    assert "a0 -> a1 -> a0" in str(caught.value) and "b0 -> b1 -> b0" in str(caught.value)


def test_a_key_of_two_customers_is_nobodys_unless_they_were_merged():
    rows = [
        ("card", "1", "a"),
        ("card", "1", "b"),
        ("card", "2", "a"),
        ("card", "2", "c"),
        (CUSTOMER, "c", "a"),
        ("card", "3", "b"),
        ("card", "3", "b"),
    ]
    found = identity(rows)
    assert resolved(found, "card", ["1", "2", "3"]) == [
        (None, "key belongs to several customers"),
        ("a", None),
        ("b", None),
    ]
    assert found.conflicts.to_numpy().tolist() == [
        ["key of several customers", "card", "1", "a | b", "ids.csv", "2, 3"]
    ]
    assert sorted(found.unused.row.execute()) == [0, 1]


def test_a_customer_merged_into_two_is_nobody_and_so_are_the_keys_that_lead_there():
    found = identity([(CUSTOMER, "x", "a"), (CUSTOMER, "x", "b"), ("card", "9", "x"), ("card", "8", "a")])
    assert resolved(found, CUSTOMER, ["x", "a"]) == [(None, "key belongs to several customers"), ("a", None)]
    assert resolved(found, "card", ["9", "8"]) == [(None, "key belongs to several customers"), ("a", None)]
    assert found.conflicts["key"].tolist() == ["9", "x"]
    assert found.merged.empty


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=8, unique_by=lambda e: e[0]))
def test_chains_end_where_a_walk_ends(edges):
    """Against a walk by hand; where the walk returns to where it was, the table is refused."""
    onward = {a: b for a, b in edges if a != b}
    ends, circle = {}, False
    for start in onward:
        seen, at = {start}, start
        while at in onward and not circle:
            at = onward[at]
            circle = at in seen
            seen.add(at)
        ends[start] = at
    rows = [(CUSTOMER, f"k{a}", f"k{b}") for a, b in edges]
    if circle:
        with pytest.raises(DataError, match="in a circle"):
            identity(rows)
        return
    found = resolved(identity(rows), CUSTOMER, [f"k{a}" for a in onward] or ["none"])
    assert found == ([(f"k{end}", None) for end in ends.values()] or [("none", None)])
