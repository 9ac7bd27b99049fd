"""Faults planted where numbers become decisions, sentences and drawings: the test that is meant for them turns red."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from fakes.drawn import check_drawings
from fakes.says import cases_of, check

from clvmodels import draws as arrays
from clvmodels import words
from clvmodels.config import document
from clvmodels.figures import checks, style, top_odds, value_parts
from clvmodels.metrics import check_rows, judgement
from clvmodels.report import leads
from clvmodels.valuation.valuation import Values

rank = importlib.import_module("clvmodels.decisions.rank")  # the packages have the functions under these names
concentration = importlib.import_module("clvmodels.decisions.concentration")
payback = importlib.import_module("clvmodels.decisions.payback")


def says(name: str) -> Callable[[], None]:
    """The words and numbers of a figure, of all its cases."""

    def contract() -> None:
        for case in cases_of(name).values():
            check(name, case)

    return contract


def draws(name: str) -> Callable[[], None]:
    """The drawings of a figure."""
    return lambda: check_drawings(name, cases_of(name), accept=False)


def a_test(module: str, name: str, *arguments: Any) -> Callable[[], None]:
    """A test of another file, by its path below tests/."""
    return lambda: getattr(importlib.import_module(module), name)(*arguments)


def places_of_problems() -> None:
    """The lines and columns of all files that are wrong somewhere."""
    tests = importlib.import_module("config.test_document")
    for text, told in tests.MISPLACED.values():
        tests.test_problems_are_told_at_their_line_and_column(text, told)


def chapters() -> None:
    """The first sentences of all chapters."""
    tests = importlib.import_module("report.test_leads")
    for case in tests.LEADS:
        tests.test_a_chapter_begins_with_its_sentence(case)


class Fault(NamedTuple):
    """In `owner.name` the original is replaced by make(original); `contract` must notice."""

    title: str
    owner: object
    name: str
    make: Callable[[Any], Any]
    contract: Callable[[], None]


def with_credit_added(original):
    """`draw + credit` for `draw - credit`."""

    def base(self, kind):
        without = original(self, kind)
        return 2 * getattr(self, kind).sum(axis=1, dtype=float) - without

    return base


def descending(original):
    """Sorted the other way round, so that what is read from the end is the smallest."""
    return lambda values, *more, **options: original(values, *more, **options)[::-1]


def smallest(original):
    """The cost that takes least instead of the one that takes most."""

    def cost(table):
        parts = table[(table["kind"] == "part") & (table["name"] != "gross margin")]
        return parts.loc[parts["q50"].idxmax()] if len(parts) else original(table)

    return cost


def two_lines_off(original):
    def place(name, mark):
        text = original(name, mark)
        if mark is None:
            return text
        return text.replace(f":{mark.line + 1}:", f":{mark.line + 3}:")

    return place


FAULTS = [
    Fault("credit added to the base", Values, "base", with_credit_added, says("total_value")),
    Fault("credit added to the profit that remains", Values, "base", with_credit_added, says("value_parts")),
    Fault(
        "credit not left out of the best's share",
        concentration,
        "CREDIT",
        lambda _: "nothing of this name",
        a_test("decisions.test_concentration", "test_the_credit_for_referrals_is_left_out"),
    ),
    Fault(
        "best customers last",
        rank,
        "best_first",
        lambda f: lambda draw, lots: f(-draw, lots),
        a_test("decisions.test_rank", "test_ten_customers_by_hand"),
    ),
    Fault(
        "the first of the tied takes the place",
        rank,
        "best_first",
        lambda f: lambda draw, lots: np.argsort(-draw, kind="stable"),
        a_test("decisions.test_rank", "test_the_tied_take_their_ranks_by_lot"),
    ),
    Fault(
        "paid back a period late",
        payback,
        "reached",
        lambda f: lambda total, cost, months: f(np.roll(total, 1, axis=1), cost, months),
        a_test("decisions.test_payback", "test_the_cost_is_covered_when_the_cumulated_profit_reaches_it"),
    ),
    Fault("quantiles of the wrong side", arrays, "LEVELS", lambda levels: levels[::-1], says("total_value")),
    Fault("a range's ends swapped", words, "span", lambda f: lambda a, b, **how: f(b, a, **how), says("total_value")),
    Fault(
        "a forecast that fails is said to hold",
        check_rows,
        "decided",
        lambda f: lambda *conditions, otherwise="failed": "passed",
        a_test("runs.test_checks", "test_a_total_in_its_interval_passes_and_one_outside_fails_by_its_side"),
    ),
    Fault(
        "all that is judged is judged by the total",
        leads,
        "JUDGED",
        lambda judged: [(figure, ("held_out_total",), name) for figure, _, name in judged],
        chapters,
    ),
    Fault("failed checks last", checks, "ordered", lambda f: lambda t, r: f(t, r).iloc[::-1], says("checks")),
    Fault("the smallest cost for the largest", value_parts, "largest", smallest, says("value_parts")),
    Fault("groups of thirty or more", judgement, "SMALLEST_GROUP", lambda size: size * 3, says("calibration")),
    Fault("blue for what is lost", style, "RED", lambda _: style.BLUE, draws("calibration")),
    Fault("problems of YAML two lines off", document, "_place", two_lines_off, places_of_problems),
    Fault("a reversed sort in the odds of the top", np, "sort", descending, draws("top_odds")),
    Fault("a list of the least certain", top_odds, "ROWS", lambda rows: 3, draws("top_odds")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
def test_a_fault_turns_its_test_red(fault, monkeypatch):
    fault.contract()
    monkeypatch.setattr(fault.owner, fault.name, fault.make(getattr(fault.owner, fault.name)))
    with pytest.raises(AssertionError):
        fault.contract()
