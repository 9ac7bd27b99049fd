"""Words that several figures share."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from clvmodels.figures import phrases


def test_four_and_a_half_of_five_are_expected_and_not_five():
    def said(of, expected):
        return phrases.expected_inside(pd.Series({"of": of, "expected": expected}))

    assert (
        said(5, 4.498) == "4.5 are"
        and said(1, 0.96) == "1 is"
        and said(1, 0.9) == "0.9 is"
        and said(8, 7.21) == "7.2 are"
    )
    assert said(39, 35.6) == "36 are"


@pytest.mark.parametrize(
    ("margin", "parts", "gain"),
    [
        (1.0, ["gross margin"], "revenue"),
        (1.0, ["gross margin", "returns"], "profit"),
        (0.3, ["gross margin"], "profit"),
        (None, ["gross margin"], "profit"),
        (1.0, ["gross margin", "referrals"], "revenue"),
    ],
)
def test_what_customers_bring_is_revenue_only_where_nothing_is_taken(company_run, margin, parts, gain):
    assert phrases.gain(replace(company_run.about, margin=margin, parts=parts)) == gain
