"""KPIs against tables counted by hand, and against what the simulated retailer knows."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.companies import company_of, customers_of, cut

from clvmodels.accounts.entries import Terms
from clvmodels.accounts.profit_made import profit_made
from clvmodels.config.experiment import Experiment
from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.datasets.retailer import generate
from clvmodels.errors import ClvError, ConfigError, DataError
from clvmodels.kpis.indicators import KPIS, kpis
from clvmodels.kpis.periods import periods
from clvmodels.kpis.programme import Programme
from clvmodels.kpis.programmes import LEAST, programmes
from clvmodels.kpis.satisfaction import mean_score, net_promoter_score
from clvmodels.kpis.trial import Arms, effect_rows
from clvmodels.runs.inputs import read, windows_of
from clvmodels.sources.consolidation import Company
from clvmodels.valuation.economics import Economics, Retention

ECONOMICS = Economics(
    None, 0.1, 52, cost_per_order=1, cost_per_return=5, cost_per_contact=2, retention=Retention(1.0, 4, 8, ("mail",))
)
TERMS = Terms(ECONOMICS, ("returns", "contacts", "margin"))
SMALL = {
    "orders": [
        ("a", "2025-01-10", 100.0, 60.0, "1"),
        ("b", "2025-02-01", 40.0, 20.0, "2"),
        ("b", "2025-03-20", 60.0, 30.0, "3"),
        ("a", "2025-04-05", 50.0, 30.0, "4"),
        ("c", "2025-04-10", 80.0, 40.0, "5"),
        ("a", "2025-10-02", 20.0, 10.0, "6"),
    ],
    "returns": [("3", "2025-04-02", 60.0)],
    "contacts": [("a", "2025-01-12", "question"), ("c", "2025-03-01", "question")],
    "campaigns": [
        ("a", "2025-04-01", "mail", None, 1.0),
        ("b", "2025-04-01", "mail", None, 1.0),
        ("b", "2025-04-01", "call", None, 9.0),
    ],
    "surveys": [("a", "2025-01-20", "nps", 10), ("b", "2025-02-10", "nps", 6), ("b", "2025-04-20", "nps", 9)],
    "channel_costs": [
        ("web", "2025-01-15", 30.0),
        ("web", "2025-02-01", 10.0),
        ("shop", "2025-03-01", 7.0),
        ("shop", "2025-04-01", 8.0),
    ],
    "attributes": [("a", "web", "x"), ("b", "web", "y"), ("c", "shop", "x")],
}


@functools.cache
def small() -> Company:
    return company_of("2025-12-31", **SMALL)


def told(company: Company, customers: Customers | None = None, **options) -> pd.DataFrame:
    options = {"terms": TERMS, "by": ("channel", "segment"), **options}
    return kpis(company, customers or customers_of(company), **options)[0]


def values(table: pd.DataFrame, by: str = "all", label: str = "all", column: str = "value") -> pd.DataFrame:
    """By period (rows) and KPI."""
    rows = table[(table["by"] == by) & (table["label"] == label)]
    return rows.pivot(index="period", columns="kpi", values=column)


# ------------------------------------------------------------------------------------------------- counted by hand


def test_all_kpis_of_a_small_company():
    found = values(told(small()))
    nothing = np.nan
    expected = {
        "customers": [0, 2, 3, 3],
        "new customers": [2, 1, 0, 0],
        "active customers": [2, 2, 0, 1],
        "retention": [nothing, 0.5, 0, nothing],
        "purchases": [3, 2, 0, 1],
        "revenue": [200, 130, 0, 20],
        "profit": [90 - 3 - 2 - 47, 60 - 35 - 2 - 2 - 2 - 8, 0, 10 - 1],  # the return of March came in April
        "spent to win": [47, 8, 0, 0],
        "spent to keep": [2, 4, 0, 0],
        "cost to win": [47 / 2, 8, nothing, nothing],
        "cost to keep": [1, 2, nothing, 0],
        "nps": [0, 100, nothing, nothing],
        "nps mean": [8, 9, nothing, nothing],
    }
    assert list(found.index) == ["2025 Q1", "2025 Q2", "2025 Q3", "2025 Q4"]
    for kpi, row in expected.items():
        np.testing.assert_allclose(found[kpi], row, err_msg=kpi)
    assert set(found) == set(expected)
    assert {*KPIS} <= set(expected)


def test_by_channel_and_cohort():
    table = told(small())
    web, shop = values(table, "channel", "web"), values(table, "channel", "shop")
    np.testing.assert_allclose(web["cost to win"].iloc[0], 20)
    assert np.isnan(shop["cost to win"].iloc[0])  # 7 were spent, and nobody was won
    np.testing.assert_allclose(shop["profit"].iloc[:2], [-7, 40 - 1 - 2 - 8])
    both = web["profit"] + shop["profit"]
    np.testing.assert_allclose(both, values(table)["profit"])
    cohort = values(table, "cohort", "2025 Q2")
    assert list(cohort.index) == ["2025 Q2", "2025 Q3", "2025 Q4"]  # none before there is anybody in it
    assert list(values(table, "cohort", "2025 Q1")["customers"]) == [0, 2, 2, 2]
    assert values(table, column="n")["nps"].iloc[0] == 2


def test_channel_costs_count_where_the_channel_is_no_group():
    company = small()
    with_group, without = customers_of(company), summarize(company.transactions).customers
    assert "channel" in with_group.table and "channel" not in without.table
    for name in ("profit", "spent to win"):
        one, other = (values(told(company, known, by=()))[name] for known in (with_group, without))
        assert one.notna().any() and one.equals(other)


def test_months():
    found = values(told(small(), period="month"))
    assert len(found) == 12
    assert found.loc["2025-02", "retention"] == 0
    assert found.loc["2025-04", "retention"] == 0  # a was active in January
    assert found["revenue"].sum() == 350


def test_customers_move_between_groups_of_profit():
    moved = kpis(small(), customers_of(small()), terms=TERMS, value_groups=2)[1]
    first = moved[moved["from_period"] == "2025 Q1"]
    cells = list(zip(first["from_group"], first["to_group"], first["customers"], strict=True))
    assert cells == [("1", "silent", 1), ("2", "2", 1), ("new", "1", 1)]
    assert list(zip(first["from_place"], first["to_place"], strict=True)) == [(1, 3), (2, 2), (4, 1)]
    assert (first["share"] == 1).all()
    shares = moved.groupby(["from_period", "from_group"])["share"].sum()
    np.testing.assert_allclose(shares, 1)
    assert set(moved.loc[moved["to_period"] == "2025 Q3", "to_group"]) == {"silent"}


def test_a_bill_that_is_written_off_and_then_sent_back_counts_once():
    economics = Economics(0.5, 0.1, 52)
    rows = {
        "orders": [("a", "2025-01-10", 100.0, 60.0, "1"), ("a", "2025-08-01", 1.0, 1.0, "2")],
        "payments": [("1", "2025-03-20", "bad_debt", 100.0)],
        "returns": [("1", "2025-04-02", 100.0)],
    }
    company = company_of(**rows)
    windows = Terms().windows.__class__(returns=90, bad_debt=90)
    terms = Terms(economics, ("returns", "bad_debt"), windows)
    found = values(told(company, terms=terms, by=()))["profit"]
    np.testing.assert_allclose(found, [50 - 100, 100 - 50, 0.5])
    made = profit_made(company, customers_of(company), economics, costs=terms.costs, windows=windows)
    np.testing.assert_allclose(found.sum(), made["profit"].sum())


def test_acquisition_without_a_date_counts_with_the_first_purchase():
    company = company_of(orders=SMALL["orders"], acquisition=[("c", 12.0)])
    found = values(told(company, terms=Terms(Economics(0.5, 0.1, 52)), by=()))
    np.testing.assert_allclose(found["cost to win"].iloc[1], 12)


def test_one_period_only_and_orders_alone():
    company = company_of(orders=SMALL["orders"][:2])
    table = told(company, by=(), terms=Terms())
    assert set(table["period"]) == {"2025 Q1"}
    assert set(table["kpi"]) == {"customers", "new customers", "active customers", "purchases", "revenue"}
    assert not table["whole"].any()
    assert kpis(company, customers_of(company))[1].empty


def test_cents_are_told_in_the_currency():
    rows = [(c, day, 100 * amount, 100 * cost, o) for c, day, amount, cost, o in SMALL["orders"]]
    company = company_of("2025-12-31", orders=rows)
    customers = Customers(customers_of(company).table, "week", pd.Timestamp("2025-12-31"), "EUR", 0.01)
    terms = Terms(Economics(None, 0.1, 52), ("margin",))
    cents, whole = told(company, customers, by=(), terms=terms), told(small(), by=(), terms=terms)
    found, expected = values(cents), values(whole)
    np.testing.assert_allclose(found["revenue"], expected["revenue"])
    np.testing.assert_allclose(found["profit"].iloc[2:], expected["profit"].iloc[2:])


def test_what_is_no_group_or_period_is_refused():
    with pytest.raises(DataError, match="Unknown group 'country'"):
        told(small(), by=("country",))
    with pytest.raises(ConfigError, match="Unknown period 'week'"):
        told(small(), period="week")
    with pytest.raises(ConfigError, match="prior_answers"):
        told(small(), prior_answers=0)


def test_periods_end_with_the_data():
    found = periods(pd.Timestamp("2024-11-05"), pd.Timestamp("2025-03-30"), "quarter")
    assert [(p.name, p.whole) for p in found] == [("2024 Q4", True), ("2025 Q1", False)]


# ------------------------------------------------------------------------------------------------- answers


def test_scores_and_their_intervals():
    few, many = ({10: 6 * k, 8: 2 * k, 3: 2 * k} for k in (1, 100))
    one, other = net_promoter_score(few), net_promoter_score(many)
    assert one.value == other.value == pytest.approx(40)
    assert one.lower < other.lower < 40 < other.upper < one.upper
    sd = 100 * np.sqrt((0.8 - 0.4**2) / 1000)
    np.testing.assert_allclose([other.lower, other.upper], [40 - 1.645 * sd, 40 + 1.645 * sd], atol=0.25)
    alike = mean_score({5.0: 1}, range(1, 6), 1.0)
    assert 1 <= alike.lower < alike.value == alike.upper + (5 - alike.upper)  # one answer leaves doubt
    assert np.isnan(mean_score({}, range(1, 6), 1.0)).all()


# ------------------------------------------------------------------------------------------------- the retailer


@functools.cache
def retailer() -> tuple[Company, Customers, Terms]:
    """The whole company, as an experiment reads it."""
    experiment = Experiment.from_dict(RETAILER)
    with tempfile.TemporaryDirectory() as scratch:
        company = read(experiment, Path(), Path(scratch))
    terms = Terms(experiment.economics, tuple(experiment.costs), windows_of(experiment))
    return company, customers_of(company), terms


RETAILER = {
    "title": "t",
    "data": {"dataset": "retailer", "customers": 300, "calibration_end": None, "holdout": None},
    "models": {"bg": {"purchases": "bg_nbd", "spend": "gamma_gamma"}},
    "costs": {
        "returns": {"model": "beta_binomial_returns"},
        "bad_debt": {"model": "beta_binomial_bad_debt"},
        "contacts": {"model": "gamma_poisson_contacts"},
        "handling": {"model": "lognormal_handling"},
    },
    "economics": {
        "margin": 0.38,
        "annual_discount_rate": 0.1,
        "horizon": 52,
        "cost_per_order": 2.5,
        "cost_per_return": 4,
        "cost_per_minute": 0.6,
        "written_off": 0.2,
        "retention": {"cost": 0.9, "every": 4, "until_silent": 28, "campaigns": ["newsletter"]},
    },
    "seed": 1,
}


def test_the_periods_add_up_to_the_profit_made():
    company, customers, terms = retailer()
    made = profit_made(company, customers, terms.economics, costs=terms.costs, windows=terms.windows)
    table = told(company, customers, terms=terms, by=("channel",))
    for by in ("all", "channel", "cohort"):
        rows = table[table["by"] == by]
        for kpi, column in (("profit", "profit"), ("revenue", "revenue"), ("purchases", "purchases")):
            np.testing.assert_allclose(rows.loc[rows["kpi"] == kpi, "value"].sum(), made[column].sum(), atol=0.01)
        new = rows.loc[rows["kpi"] == "new customers", "value"].sum()
        assert new == len(customers)


def test_no_look_ahead():
    company, customers, terms = retailer()
    everything, moved = kpis(company, customers, terms=terms, by=("channel", "segment"))
    known = cut(company, "2025-03-31")
    then, moved_then = kpis(known, customers_of(known), terms=terms, by=("channel", "segment"))
    past = everything[everything["period"] <= "2025 Q1"]
    past = past[past["label"].where(past["by"] == "cohort", "") <= "2025 Q1"].reset_index(drop=True)
    pd.testing.assert_frame_equal(past, then)
    pd.testing.assert_frame_equal(moved[moved["to_period"] <= "2025 Q1"].reset_index(drop=True), moved_then)


# ------------------------------------------------------------------------------------------------- programmes

VOUCHER = Programme("voucher", 8)
HALF = Terms(Economics(0.5, 0.1, 52))


def arm(k: int) -> str:
    return "treatment" if k % 2 else "control"


def assigned(n: int = 80, lift: float = 10.0, arm=arm, better: float = 0.0):
    """Customers dealt to two arms on 1 June, of whom the treated buy more; `better` before, too."""
    rng = np.random.default_rng(3)
    orders, rows = [], []
    for k in range(n):
        who, treated = f"c{k:03d}", arm(k) == "treatment"
        before = 50 + 10 * rng.standard_normal() + better * treated
        orders += [(who, "2025-03-01", before, 1.0, f"{k}x")]
        orders += [(who, f"2025-06-{1 + k % 28:02d}", 20 + rng.standard_normal() + lift * treated, 1.0, f"{k}y")]
        rows.append((who, "2025-06-01", "voucher", arm(k), 2.0 if treated else 0.0))
    return {"orders": orders, "campaigns": rows}


def outcome(rows, wanted=VOUCHER, terms=HALF, end="2025-09-30") -> pd.DataFrame:
    company = company_of(end, **rows)
    return programmes(company, customers_of(company), terms, [wanted])


def test_a_programme_by_hand():
    found = outcome(assigned()).set_index("of")
    assert set(found["verdict"]) == {"tested"}
    amounts = pd.DataFrame(assigned()["orders"], columns=["who", "day", "amount", "cost", "order"])
    after = amounts[amounts["day"] >= "2025-06-01"]["amount"].to_numpy() / 2
    one, other = after[1::2], after[0::2]
    effect = one.mean() - other.mean()
    assert found.loc["effect", "value"] == pytest.approx(effect)
    assert found.loc["cost", "value"] == 2
    assert found.loc["roi", "value"] == pytest.approx((effect - 2) / 2)
    error = np.sqrt(one.var(ddof=1) / 40 + other.var(ddof=1) / 40)
    assert found.loc["effect", "q95"] == pytest.approx(effect + 1.665 * error, abs=0.001)
    assert found.loc["roi", "q5"] == pytest.approx((found.loc["effect", "q5"] - 2) / 2)
    assert found.loc["P(roi > 0)", "value"] > 0.99
    assert (found["treatment"] == 40).all()


def test_the_weeks_and_those_who_never_bought_count():
    rows = assigned()
    short = outcome(rows, Programme("voucher", 1)).set_index("of")
    assert short.loc["profit, control", "value"] < 5  # one in four bought in the first week
    nobody = [f"z{k}" for k in range(40)]
    rows["campaigns"] += [(who, "2025-06-01", "voucher", arm(k), 2.0 * (k % 2)) for k, who in enumerate(nobody)]
    found = outcome({**rows, "attributes": [(who, "web", "x") for who in nobody]}).set_index("of")
    amounts = [order[2] for order in rows["orders"] if order[1] >= "2025-06"]
    assert found.loc["profit, treatment", "value"] == pytest.approx(sum(amounts[1::2]) / 2 / 60)
    assert (found["treatment"] == 60).all()


def test_what_it_cost_is_not_in_the_effect():
    economics = Economics(0.5, 0.1, 52, retention=Retention(1.0, 4, 8))
    plain, kept = outcome(assigned()), outcome(assigned(), terms=Terms(economics))
    pd.testing.assert_frame_equal(plain, kept)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (assigned(arm=lambda k: None), "no row tells an arm"),
        (assigned(arm=lambda k: "treatment"), "one arm only: nobody is in control"),
        (assigned(arm=lambda k: "treatment" if k < 10 else "control"), f"too few in treatment: 10, at least {LEAST}"),
        (
            assigned(arm=lambda k: None if k == 3 else "control" if k % 2 else "treatment"),
            "1 of 80 customers have rows",
        ),
        (assigned(better=30.0), "the arms differ in revenue before by more than chance explains"),
        (
            {**assigned(), "campaigns": [*assigned()["campaigns"], ("c001", "2025-06-01", "voucher", "control", 0.0)]},
            "1 customer is in both arms",
        ),
    ],
)
def test_what_chance_did_not_decide_is_refused(rows, reason):
    found = outcome(rows)
    assert list(found["verdict"]) == ["refused"]
    assert reason in found["reason"].iloc[0]


def test_weeks_that_are_not_over_are_refused():
    assert "not over: they end on 2025-07-26" in outcome(assigned(), end="2025-07-25")["reason"].iloc[0]


def test_weeks_whose_returns_are_not_known_yet_are_refused():
    """Each treated customer buys in the seventh week and sends everything back in the tenth."""
    rows, back = assigned(), []
    rows["orders"] = [order for order in rows["orders"] if order[4].endswith("x")]
    for who, *_, told, _cost in rows["campaigns"]:
        if told == "treatment":
            rows["orders"].append((who, "2025-07-20", 40 + len(back) % 3, 1.0, f"{who}z"))
            back.append((f"{who}z", "2025-08-10", 40.0 + len(back) % 3))
    terms = Terms(HALF.economics, ("returns",))
    young = outcome({**rows, "returns": [("0x", "2025-03-02", 1.0)]}, terms=terms, end="2025-07-26")
    assert "not known for 30 days after them" in young["reason"].iloc[0]
    found = outcome({**rows, "returns": back}, terms=terms).set_index("of")
    assert found.loc["effect", "value"] == pytest.approx(0.0)


def test_only_what_its_weeks_cost_counts_and_nothing_later_is_seen():
    rows = assigned()
    again = [
        (who, "2025-09-15", kind, told, 5.0 * (told == "treatment")) for who, _, kind, told, _ in rows["campaigns"]
    ]
    company = company_of("2025-09-30", **{**rows, "campaigns": [*rows["campaigns"], *again]})
    for day in ("2025-09-30", "2025-07-31"):
        found = programmes(company, customers_of(company, day), HALF, [VOUCHER]).set_index("of")
        assert found.loc["cost", "value"] == 2.0
    early = programmes(company, customers_of(company, "2025-05-31"), HALF, [VOUCHER])
    assert early["reason"].tolist() == ["none of these customers was assigned by 2025-05-31"]


def test_customers_of_another_cohort_have_no_outcome():
    rows = assigned(120)
    rows["orders"] += [(f"c{k:03d}", "2024-06-01", 50.0, 1.0, f"{k}z") for k in range(60)]
    company = company_of("2025-09-30", **rows)
    cohort = summarize(company.transactions, acquired_between=("2025-01-01", None)).customers
    found = programmes(company, cohort, HALF, [VOUCHER]).set_index("of")
    assert (found["treatment"] == 30).all() and (found["control"] == 30).all()
    assert found.loc["effect", "value"] == pytest.approx(5.0, abs=0.3)


@pytest.mark.parametrize("amount", [49.99, 0.1, 29.9])
def test_arms_that_are_the_same_before_are_alike(amount):
    rows = assigned(90, arm=lambda k: "treatment" if k % 3 == 0 else "control")
    rows["orders"] = [(w, d, amount if o.endswith("x") else a, c, o) for w, d, a, c, o in rows["orders"]]
    assert set(outcome(rows)["verdict"]) == {"tested"}


def test_a_cost_that_differs_is_as_uncertain_as_it_is():
    """One in 20 of the treated costs 60, whatever they earn: the 90% interval of the gain holds in 90 of 100."""
    rng, n, runs = np.random.default_rng(1), 200, 2000
    held = 0
    for _ in range(runs):
        profit, cost = rng.normal(10.0, 5.0, 2 * n), np.r_[60.0 * (rng.random(n) < 0.05), np.zeros(n)]
        table = pd.DataFrame({"arm": np.repeat(["treatment", "control"], n), "profit": profit, "cost": cost})
        gain = next(row for row in effect_rows(Arms(table)) if row["of"] == "gain")
        held += gain["q5"] <= -3.0 <= gain["q95"]
    assert abs(held / runs - 0.9) < 3 * np.sqrt(0.09 / runs)


def test_a_programme_that_cannot_be_meant():
    with pytest.raises(DataError, match="Unknown campaign 'vouchr'; did you mean 'voucher'"):
        outcome(assigned(), Programme("vouchr", 8))
    with pytest.raises(ConfigError, match="weeks: Must be greater than 0"):
        outcome(assigned(), Programme("voucher", 0))
    with pytest.raises(ClvError, match="needs economics"):
        outcome(assigned(), terms=Terms())


@pytest.mark.slow
def test_the_effect_of_the_retailers_voucher():
    """Its true effect lies in the 90% interval about as often as it should; the calls were never dealt by chance."""
    inside, off = [], []
    for seed in range(6):
        made = generate(1000, seed)
        orders = made.facts["orders"][["customer_id", "time", "amount", "order_no"]]
        orders = orders.set_axis(["key", "date", "amount", "order_id"], axis=1)
        mails = made.facts["campaigns"][["customer_id", "time", "kind", "arm", "cost"]]
        mails = mails[mails["kind"] != "newsletter"].set_axis(["key", "date", "kind", "arm", "amount"], axis=1)
        company = company_of("2025-12-28", orders=orders, campaigns=mails)
        wanted = [Programme("welcome-back voucher", 9), Programme("VIP call", 9)]
        found = programmes(company, customers_of(company), HALF, wanted).set_index("of")
        assert "no row tells an arm" in found["reason"].iloc[-1]
        effect = found.loc["effect"]
        dealt = made.truth[made.truth["voucher_arm"].notna()]
        truth = 0.5 * float((dealt["voucher_effect"] * dealt["mean_spend"]).mean())
        inside.append(effect["q5"] <= truth <= effect["q95"])
        off.append((effect["value"] - truth) / ((effect["q95"] - effect["q5"]) / 3.29))
    assert sum(inside) >= 4  # of 6: fewer come once in 60
    assert abs(np.mean(off)) < 3 / np.sqrt(6)
