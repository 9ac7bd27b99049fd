"""The waterfall: shares of the gross margin draw by draw, the largest cost by its median, the credit apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.company_run import SHARES
from fakes.drawn import check_drawings
from fakes.run import about, fake_run
from fakes.says import Says, caption_of, check, plain, table_of
from fakes.tiny import worth_run

from clvmodels import words
from clvmodels.figures import FIGURES, phrases
from clvmodels.figures.value_parts import _row, cents
from clvmodels.results.folder import totals


def run(**told):
    """Of the gross margin, 2 (550 + 10 z), returns take 30% and service 20%: half of it remains."""
    return worth_run(shares={"returns": -0.3, "service": -0.2}, **told)


def without_costs():
    """No part but the gross margin and the credit of 20 a customer."""
    return worth_run(credit=20.0)


CASES = {
    "two costs": Says(
        run,
        heading="From gross margin to profit",
        sub=(
            "Profit of all 10 customers in 52 weeks, EUR, discounted at 12% a year. Bar: median of the "
            "part; line: its 90% interval."
        ),
        caption=(
            "Of each euro of gross margin **50 cents** remain as profit (90%); the largest cost, "
            "returns, takes 30 cents. Medians of parts do not add up exactly to the median of the whole."
        ),
        alt=(
            "Waterfall from the gross margin over 2 costs to the profit, EUR 460 to 640; the largest cost is returns."
        ),
        titles=("Part", "Middle", "90% interval", "Of 100 of gross margin, 90%"),
        rows=[
            ("Gross margin", "EUR 1,100", "EUR 920 to 1,280", "100"),
            ("Returns", "EUR -330", "EUR -380 to -280", "-30.0"),
            ("Service", "EUR -220", "EUR -256 to -184", "-20.0"),
            ("Profit", "EUR 550", "EUR 460 to 640", "50"),
        ],
        tones={3: "total"},
    ),
    "a credit, which stands apart": Says(
        lambda: worth_run(credit=20.0, shares={"retention": -0.1, "service": -0.4}, currency="USD"),
        heading="From gross margin to profit",
        sub=(
            "Profit of all 10 customers in 52 weeks, USD, discounted at 12% a year. Bar: median of the "
            "part; line: its 90% interval."
        ),
        caption=(
            "Of each dollar of gross margin **50 cents** remain as profit (90%); the largest cost, "
            "service, takes 40 cents. Medians of parts do not add up exactly to the median of the whole. "
            "Credit for referrals stands apart and is not in the profit: those who are brought are "
            "counted as customers themselves."
        ),
        alt=(
            "Waterfall from the gross margin over 2 costs to the profit, USD 460 to 640; the largest cost is service."
        ),
        titles=("Part", "Middle", "90% interval", "Of 100 of gross margin, 90%"),
        rows=[
            ("Gross margin", "USD 1,100", "USD 920 to 1,280", "100"),
            ("Retention marketing", "USD -110", "USD -128 to -92", "-10.0"),
            ("Service", "USD -440", "USD -510 to -370", "-40.0"),
            ("Profit", "USD 550", "USD 460 to 640", "50"),
            ("Credit for referrals", "USD 200", "USD 200", "16 to 22"),
        ],
        tones={3: "total"},
    ),
    "a currency without coins": Says(
        lambda: run(currency="SEK"),
        heading="From gross margin to profit",
        sub=(
            "Profit of all 10 customers in 52 weeks, SEK, discounted at 12% a year. Bar: median of the "
            "part; line: its 90% interval."
        ),
        caption=(
            "Of each 100 SEK of gross margin **50** remain as profit (90%); the largest cost, returns, "
            "takes 30. Medians of parts do not add up exactly to the median of the whole."
        ),
        alt=(
            "Waterfall from the gross margin over 2 costs to the profit, SEK 460 to 640; the largest cost is returns."
        ),
        titles=("Part", "Middle", "90% interval", "Of 100 of gross margin, 90%"),
        rows=[
            ("Gross margin", "SEK 1,100", "SEK 920 to 1,280", "100"),
            ("Returns", "SEK -330", "SEK -380 to -280", "-30.0"),
            ("Service", "SEK -220", "SEK -256 to -184", "-20.0"),
            ("Profit", "SEK 550", "SEK 460 to 640", "50"),
        ],
        tones={3: "total"},
    ),
    "no currency": Says(
        lambda: run(currency=None),
        heading="From gross margin to profit",
        sub=(
            "Profit of all 10 customers in 52 weeks, discounted at 12% a year. Bar: median of the part; "
            "line: its 90% interval."
        ),
        caption=(
            "Of each 100 units of gross margin **50** remain as profit (90%); the largest cost, returns, "
            "takes 30. Medians of parts do not add up exactly to the median of the whole."
        ),
        alt=("Waterfall from the gross margin over 2 costs to the profit, 460 to 640; the largest cost is returns."),
        titles=("Part", "Middle", "90% interval", "Of 100 of gross margin, 90%"),
        rows=[
            ("Gross margin", "1,100", "920 to 1,280", "100"),
            ("Returns", "-330", "-380 to -280", "-30.0"),
            ("Service", "-220", "-256 to -184", "-20.0"),
            ("Profit", "550", "460 to 640", "50"),
        ],
        tones={3: "total"},
    ),
    "no cost": Says(
        without_costs,
        heading="From gross margin to profit",
        sub=(
            "Profit of all 10 customers in 52 weeks, EUR, discounted at 12% a year. Bar: median of the "
            "part; line: its 90% interval."
        ),
        caption=(
            "Of each euro of gross margin **100 cents** remain as profit (90%). Medians of parts do not "
            "add up exactly to the median of the whole. Credit for referrals stands apart and is not in "
            "the profit: those who are brought are counted as customers themselves."
        ),
        alt=("Waterfall from the gross margin over 0 costs to the profit, EUR 460 to 640; without costs."),
        titles=("Part", "Middle", "90% interval", "Of 100 of gross margin, 90%"),
        rows=[
            ("Gross margin", "EUR 550", "EUR 460 to 640", "100"),
            ("Profit", "EUR 550", "EUR 460 to 640", "100"),
            ("Credit for referrals", "EUR 200", "EUR 200", "31 to 43"),
        ],
        tones={1: "total"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("value_parts", case)


def test_it_draws(accept_drawings):
    check_drawings("value_parts", CASES, accept_drawings)


def test_totals_of_parts_make_up_the_value_but_for_the_credit(company_run):
    told = (
        totals(company_run)
        .query("total != 'held-out purchases'")
        .reset_index()
        .pivot(index="draw", columns="total", values="value")
    )
    for kind in ("expected", "realised"):
        parts = sum(told[f"{kind} {name}"] for name in SHARES if name != phrases.CREDIT)
        np.testing.assert_allclose(told[f"{kind} value"], parts, rtol=1e-6)
        assert (told[f"{kind} {phrases.CREDIT}"] > 0).all()


def test_the_waterfall_tells_each_part_the_whole_and_the_credit_apart(company_run):
    found = table_of("value_parts", company_run)
    assert list(found["kind"]) == ["part"] * 6 + ["whole", "credit"]
    assert list(found["name"]) == [*list(SHARES)[:-1], "profit", "referrals"]
    whole = found.iloc[6]
    base = company_run.valued.values.base("realised")
    assert [whole.q5, whole.q50, whole.q95] == pytest.approx(np.quantile(base, [0.05, 0.5, 0.95]))
    total = table_of("total_value", company_run).totals.query("total == 'value' and series == 'realised'").iloc[0]
    assert [whole.q5, whole.q95] == pytest.approx([total.q5, total.q95])


def test_the_caption_tells_what_remains_and_the_largest_cost_from_the_table(company_run):
    found = table_of("value_parts", company_run)
    gross = company_run.valued.values.parts["gross margin"].realised.sum(axis=1, dtype=float)
    low, high = 100 * np.quantile(company_run.valued.values.base("realised") / gross, [0.05, 0.95])
    said = caption_of("value_parts", company_run)
    assert f"**{words.span(low, high, step=1.0)} cents** remain as profit" in said
    assert "the largest cost, returns, takes" in said
    assert "do not add up" in said and "not in the profit" in said
    found.loc[found["name"] == "service", ["q5", "q25", "q50", "q75", "q95"]] *= 10
    assert "the largest cost, service," in FIGURES["value_parts"].words(found, company_run.about).caption
    without = found[found["kind"] != "credit"]
    assert "Credit" not in FIGURES["value_parts"].words(without, company_run.about).caption


def test_a_run_with_the_gross_margin_alone_has_no_parts():
    assert FIGURES["value_parts"].table(fake_run(60, 100)) is None


@pytest.mark.parametrize("lost", [0.0, -1.0])
def test_shares_of_a_gross_margin_that_some_draw_loses_are_unknown(lost):
    gross = np.array([lost, *[100.0] * 20])
    table = pd.DataFrame([_row("part", phrases.GROSS, gross, gross), _row("whole", "profit", 0.5 * gross, gross)])
    assert [row[3] for row in FIGURES["value_parts"].numbers(table, about()).rows] == ["—", "—"]
    assert FIGURES["value_parts"].words(table, about()).caption.startswith("Medians of parts do not add up")


def test_a_part_has_the_digits_of_its_range():
    part = _row("part", phrases.GROSS, 123.456 + 0.01 * np.arange(-10, 11), np.ones(21))
    (row,) = FIGURES["value_parts"].numbers(pd.DataFrame([part]), about()).rows
    assert [plain(cell) for cell in row[1:3]] == ["EUR 123.46", "EUR 123.37 to 123.55"]


@pytest.mark.parametrize(("high", "said"), [(0.0199, "1.0 to 2.0"), (0.02, "1 to 2")])
def test_cents_below_two_have_a_tenth(high, said):
    row = pd.Series({"share_q5": 0.0100, "share_q95": high})
    assert cents(row) == said
