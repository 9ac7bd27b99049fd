"""Words that several figures share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clvmodels.figures import phrases


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
