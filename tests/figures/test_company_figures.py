"""Figures of a whole company: parts of value, revenue against profit, payback, several tables, several models."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fakes.company_run import SHARES, with_company
from fakes.run import about, fake_run

from clvmodels import words
from clvmodels.customers.experience import column_origins, consolidated
from clvmodels.customers.summarize import summarize
from clvmodels.figures import FIGURES, phrases
from clvmodels.report import leads
from clvmodels.report.stored import Stored
from clvmodels.results.folder import totals
from clvmodels.sources.consolidation import Table, consolidate


@pytest.fixture(scope="module")
def run():
    return with_company(fake_run())


def table(name: str, run) -> pd.DataFrame:
    """As a results folder gives it back."""
    return pd.read_csv(io.StringIO(FIGURES[name].table(run).to_csv(index=False)))


def caption(name: str, run) -> str:
    return FIGURES[name].words(table(name, run), run.about).caption


# ---------------------------------------------------------------------------------------------- parts of value


def test_totals_of_parts_make_up_the_value_but_for_the_credit(run):
    told = (
        totals(run)
        .query("total != 'held-out purchases'")
        .reset_index()
        .pivot(index="draw", columns="total", values="value")
    )
    for kind in ("expected", "realised"):
        parts = sum(told[f"{kind} {name}"] for name in SHARES if name != phrases.CREDIT)
        np.testing.assert_allclose(told[f"{kind} value"], parts, rtol=1e-6)
        assert (told[f"{kind} {phrases.CREDIT}"] > 0).all()


def test_the_waterfall_tells_each_part_the_whole_and_the_credit_apart(run):
    found = table("value_parts", run)
    assert list(found["kind"]) == ["part"] * 6 + ["whole", "credit"]
    assert list(found["name"]) == [*list(SHARES)[:-1], "profit", "referrals"]
    whole = found.iloc[6]
    base = run.valued.values.base("realised")
    assert [whole.q5, whole.q50, whole.q95] == pytest.approx(np.quantile(base, [0.05, 0.5, 0.95]))
    total = table("total_value", run).query("kind == 'total' and series == 'realised'").iloc[0]
    assert [whole.q5, whole.q95] == pytest.approx([total.q5, total.q95])


def test_the_caption_tells_what_remains_and_the_largest_cost_from_the_table(run):
    found = table("value_parts", run)
    gross = run.valued.values.parts["gross margin"].realised.sum(axis=1, dtype=float)
    low, high = 100 * np.quantile(run.valued.values.base("realised") / gross, [0.05, 0.95])
    said = caption("value_parts", run)
    assert f"**{words.span(low, high, step=1.0)} cents** remain as profit" in said
    assert "the largest cost, returns, takes" in said
    assert "do not add up" in said and "not in the profit" in said
    found.loc[found["name"] == "service", ["q5", "q25", "q50", "q75", "q95"]] *= 10
    assert "the largest cost, service," in FIGURES["value_parts"].words(found, run.about).caption
    without = found[found["kind"] != "credit"]
    assert "Credit" not in FIGURES["value_parts"].words(without, run.about).caption


def test_a_run_with_the_gross_margin_alone_has_no_parts():
    assert FIGURES["value_parts"].table(fake_run(60, 100)) is None


def test_a_total_with_a_credit_says_that_it_is_left_out(run):
    credit = np.quantile(run.valued.values.parts["referrals"].realised.sum(axis=1, dtype=float), [0.05, 0.95])
    assert words.span(*credit, currency="EUR") in caption("total_value", run)
    assert "Credit" not in caption("total_value", fake_run(60, 100))
    assert "Credit" in caption("concentration", run)


# ---------------------------------------------------------------------------------------------- revenue and profit


@pytest.mark.parametrize("count", [50, 3000])
def test_customers_who_lead_by_revenue_and_not_by_profit_are_counted(count):
    run = with_company(fake_run(count, 100))
    found = table("revenue_profit", run)
    n = found.set_index("kind")["customers"]
    top = int(0.2 * count)
    by_revenue = set(run.made["revenue"].nlargest(top).index)
    by_profit = set(run.valued.ranking["expected_mean"].nlargest(top).index)
    assert (n["top"], n["both"], n["moved"]) == (top, len(by_revenue & by_profit), len(by_revenue - by_profit))
    points = found[found["kind"].isin(["cell", "dot"])]
    assert points["customers"].sum() == count and len(points) <= 625
    said = FIGURES["revenue_profit"].words(found, run.about).caption
    assert f"**{words.count(n['moved'])} of the {words.count(top)}**" in said
    example = found[found["kind"] == "example"].iloc[0]
    assert example.revenue_place <= top < example.profit_place
    assert f"{example.customer} at place {words.count(example.revenue_place)} by revenue" in said
    by_place = run.made["revenue"].rank(ascending=False)
    assert by_place[example.customer] == example.revenue_place


def test_equal_customers_share_a_cell():
    run = with_company(fake_run(200, 100))
    same = pd.Series(1.0, index=run.made.index)
    found = table("revenue_profit", replace(run, made=run.made.assign(revenue=same)))
    assert found.query("kind == 'cell'")["x"].unique().tolist() == [12]


# ---------------------------------------------------------------------------------------------- payback


def test_payback_names_who_meets_the_rule_and_the_odds_of_the_others(run):
    said = caption("payback", run)
    assert "**E-mail and Search** cover the cost to win within 12 months" in said
    assert "Marketplace 62% and Referral 6%" in said
    most, least = (words.money(value, "EUR", 1.0) for value in (40, 22))
    assert f"Pay at most {most} for a customer of E-mail and {least} for a customer of Referral" in said
    assert "1 small channel with 12 customers is left out" in said
    cells = FIGURES["payback"].numbers(table("payback", run), run.about).rows
    assert cells[1][4] == "6.0 to beyond the horizon" and cells[2][3] == "beyond the horizon"


def test_payback_says_what_is_alike_in_all_channels(run):
    assert "alike" not in caption("payback", run)
    other = replace(run, payback=run.payback.assign(alike="purchases, spend"))
    assert "take purchases and spend as alike in all channels" in caption("payback", other)


def test_channels_that_are_all_small_have_no_figure(run):
    assert FIGURES["payback"].table(replace(run, payback=run.payback[-1:])) is None
    assert FIGURES["payback"].table(replace(run, payback=None)) is None


# ---------------------------------------------------------------------------------------------- several tables


def test_each_table_adds_up_and_all_of_them_do(run):
    found = table("data_cleaning", run)
    rows = FIGURES["data_cleaning"].numbers(found, run.about).rows
    assert [row[0].split("\n")[0] for row in rows] == ["customers", "orders", "service", "All tables"]
    for row in rows:
        read, orphaned, dropped, used = (int(c.replace(",", "").replace(words.MINUS, "-")) for c in row[1:])
        assert read + orphaned + dropped == used
    assert "Dropped: exact duplicates (391); no customer id (214)" in rows[1][0]
    assert "Changed and kept: kind was empty, taken as contact (48)" in rows[2][0]
    assert rows[3][1:] == ("36,362", f"{words.MINUS}39", f"{words.MINUS}607", "35,716")


def test_rows_that_are_returns_stand_apart_below_the_rows_used():
    account = pd.DataFrame(
        [
            (0, "rows read", "o.csv", 10, "read"),
            (1, "zero amount", "o.csv", 1, "dropped"),
            (2, "negative amount, taken as a return", "o.csv", 3, "used"),
            (3, "rows used", "o.csv", 6, "used"),
        ],
        columns=["step", "reason", "where", "rows", "kind"],
    )
    found = FIGURES["data_cleaning"].numbers(account, about())
    assert [row[0] for row in found.rows] == [
        "Rows read",
        "Zero amount",
        "Rows used",
        "of these: negative amount, taken as a return",
    ]
    assert [row[2] for row in found.rows] == ["10", f"{words.MINUS}1", "9", "3"] and found.rows[2][3] == "90.0%"
    assert found.tones == {2: "total"}


def test_merges_and_contradictions_are_counted(run):
    said = caption("data_cleaning", run)
    assert "1 customer id was merged into another" in said
    assert "key of several customers: 2" in said
    assert "48 rows were changed and kept: changed is not dropped" in said


def test_a_column_of_a_customer_tells_its_table():
    days = ["2025-01-01", "2025-01-20", "2025-02-01", "2025-03-01"]
    orders = pd.DataFrame({"who": ["a", "a", "b", "c"], "day": days, "paid": 10.0})
    answers = pd.DataFrame({"who": ["a", "b"], "day": days[2], "what": "nps", "score": [9, 3]})
    people = pd.DataFrame({"who": ["a", "b", "c"], "channel": ["x", "y", "y"]})
    key = {"key": "who"}
    company = consolidate(
        {
            "shop": Table(frame=orders, columns={**key, "date": "day", "amount": "paid"}),
            "asked": Table(frame=answers, role="surveys", columns={**key, "date": "day", "kind": "what"}),
            "people": Table(frame=people, role="attributes", columns=key, groups=["channel"]),
        },
        currency="EUR",
    )
    customers = summarize(company.transactions, time_unit="week").customers
    found = consolidated(company, customers)
    assert found["nps"].tolist()[:2] == [9, 3] and np.isnan(found["nps"].iloc[2])
    assert found["channel"].tolist() == ["x", "y", "y"]
    told = column_origins(company, found).set_index("column")
    assert set(told.index) == set(found.columns)
    assert told.loc["nps", ["source", "role", "customers"]].tolist() == ["asked", "surveys", 2]
    assert told.loc["channel", ["source", "own_column"]].tolist() == ["people", "channel"]
    assert told.loc["frequency", "source"] == "shop"


def test_where_columns_come_from_is_told(run):
    found = table("origins", run)
    assert found.set_index("column").loc["complaint_rate", "source"] == "service"
    rows = FIGURES["origins"].numbers(found, run.about).rows
    assert len(rows) == 3
    assert FIGURES["origins"].table(fake_run(60, 100)) is None


# ---------------------------------------------------------------------------------------------- several models


def test_quantities_of_one_name_are_told_apart_and_every_model_is_drawn(run):
    found = table("prior_posterior", run)
    assert found.query("kind == 'quantiles'").groupby(["name", "series"]).size().eq(1).all()
    names = set(found["name"])
    spread = "spread of rates between customers (sd / mean)"
    assert {f"contacts: {spread}", f"referrals: {spread}", "mean contacts"} <= names and spread not in names
    assert set(found.query("kind == 'curve'")["part"]) == {"purchases", "contacts", "referrals"}


def test_more_quantities_than_panels_leave_no_model_out(run):
    posteriors = dict(run.valued.posteriors)
    of_another = posteriors.pop("contacts")
    valued = run.valued.__class__(
        **{**vars(run.valued), "posteriors": {**posteriors, **{f"role {k}": of_another for k in range(9)}}}
    )
    found = table("prior_posterior", replace(run, valued=valued))
    drawn = found.query("kind == 'curve'")
    assert drawn["name"].nunique() == 12 and drawn["part"].nunique() == 11
    said = FIGURES["prior_posterior"].words(found, run.about).sub
    assert f"{found['name'].nunique() - 12} quantities more" in said
    assert len(FIGURES["prior_posterior"].numbers(found, run.about).rows) == found["name"].nunique()


def test_effects_of_one_name_in_two_models_have_panels_of_their_own(run):
    found = table("group_effects", run)
    assert found["effect"].nunique() == 3
    assert {"contacts a purchase", "referrals a purchase", "purchase rate"} == set(found["raises"])
    assert (found.groupby(["effect", "kind", "label"]).size() == 1).all()


def test_parameters_of_cost_models_stand_under_their_model(run):
    rows = FIGURES["parameters"].numbers(table("parameters", run), run.about).rows
    names = [row[0] for row in rows]
    assert "Gamma-Poisson contacts: mu" in names and "Gamma-Poisson referrals: mu" in names
    assert len(names) == len(set(names))


# ---------------------------------------------------------------------------------------------- words


def test_limits_tell_what_is_subtracted_and_what_is_not(run):
    def said(about) -> str:
        return next((s for s in leads.limits(Stored(about, {"total_value": pd.DataFrame()})) if "subtract" in s), "")

    assert said(run.about) == (
        "Profit is each customer's own share of sales less returns, fulfilment, service, payments and retention "
        "marketing: what it cost to win customers is not subtracted."
    )
    some = said(replace(run.about, margin=0.3, parts=["gross margin", "returns"]))
    assert some.startswith(
        "Profit is 30% of sales less returns: fulfilment, service, payments, retention marketing and"
    )
    assert some.endswith("are not subtracted.")
    assert said(replace(run.about, margin=1.0, parts=["gross margin"])) == ""


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
def test_what_customers_bring_is_revenue_only_where_nothing_is_taken(run, margin, parts, gain):
    assert phrases.gain(replace(run.about, margin=margin, parts=parts)) == gain
