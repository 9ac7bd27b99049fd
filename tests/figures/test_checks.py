"""All checks, the failed first, each counted once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.run import CHECKS
from fakes.says import Says, check
from fakes.tiny import tiny_run


def run(*lines):
    """Lines of (result, check, entry, found, limit, consequence)."""
    names = ["result", "check", "entry", "found", "limit", "consequence"]
    return tiny_run(checks=pd.DataFrame(list(lines), columns=names).assign(kind="forecast"))


NUMBERS = [
    ("passed", "a", "bg", 3.0, 0.123456, "what follows"),
    ("failed", "b", "other", "1e3", np.nan, "stop!"),
    ("look", "c", np.nan, 1234567.0, -0.5, np.nan),
    ("failed", "d", "pareto", 2e15, "text", " "),
    ("look", "e", "pareto", 0.01, 2.50, "see the file"),
]

CASES = {
    "one of each": Says(
        lambda: tiny_run(checks=CHECKS),
        heading="Checks",
        sub="",
        caption="",
        alt="1 failed, 1 needs a look, 2 passed, 1 skipped, 1 not applicable.",
        titles=("Result", "Check", "Entry", "Found", "Limit", "Consequence"),
        rows=[
            (
                "failed",
                "Held-out weeks inside the 90% band",
                "Pareto/NBD, by channel",
                "20 of 26",
                "21 or more",
                "December is forecast too low. Do not plan a single December week with it.",
            ),
            ("look", "Rows dropped", "", "2.9%", "under 2%", "Look at dropped.csv."),
            ("passed", "Worst R-hat", "Pareto/NBD, by channel", "1.003", "1.01 or less", ""),
            ("passed", "Smallest bulk ESS", "Pareto/NBD, by channel", "1,840", "400 or more", ""),
            ("skipped", "Customers with Pareto k-hat above 0.7", "BG/NBD", "", "0", "Elpd was not asked for."),
            ("not applicable", "Divergences", "BG/NBD", "", "0", "The Laplace approximation has none."),
        ],
        tones={0: "bad"},
    ),
    "numbers as they are told": Says(
        lambda: run(*NUMBERS),
        heading="Checks",
        sub="",
        caption="",
        alt="2 failed, 2 need a look, 1 passed.",
        titles=("Result", "Check", "Entry", "Found", "Limit", "Consequence"),
        rows=[
            ("failed", "D", "Pareto/NBD, by channel", "2,000,000,000,000,000", "text", ""),
            ("failed", "B", "other", "1,000", "", "Stop!"),
            ("look", "E", "Pareto/NBD, by channel", "0.01", "2.5", "See the file."),
            ("look", "C", "", "1,234,567", "-0.5", ""),
            ("passed", "A", "BG/NBD", "3", "0.1235", "If it fails: what follows."),
        ],
        tones={0: "bad", 1: "bad"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("checks", case)
