"""Scoring: one row a customer that depends on nothing but the posteriors, the seed and the customer's own history."""

from __future__ import annotations

import dataclasses

import arviz as az
import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, by_channel, customers_of, pair_of, posterior_of, rescaled, simulated, table_of

from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.datasets.retailer import generate
from clvmodels.errors import ConfigError, DataError
from clvmodels.inference.effects import Effect
from clvmodels.models import MODELS
from clvmodels.sources.transactions import read_transactions
from clvmodels.valuation.scoring import behaviour, score, unknown_labels

DRAWS = 300
MONEY = {"margin": 0.3, "annual_discount_rate": 0.12}
PURCHASES = ["p_alive", "p_purchase", "expected_purchases", *(f"purchases_q{p}" for p in (5, 25, 50, 75, 95))]
STATISTICS = ("mean", "sd", "q5", "q25", "q50", "q75", "q95")
VALUES = [f"{kind}_{name}" for kind in ("expected_value", "worth", "realised_value") for name in STATISTICS]


def posteriors(model: str = "bg_nbd", draws: int = DRAWS) -> dict:
    return dict(zip(("purchases", "spend"), pair_of(CASES[model], draws), strict=True))


@pytest.fixture(scope="module")
def base() -> Customers:
    return customers_of(simulated(CASES["bg_nbd"], size=60))


@pytest.fixture(scope="module")
def scored(base) -> pd.DataFrame:
    return score(posteriors(), base, horizon=26.0, **MONEY)


# ---------------------------------------------------------------------------------------------- rows


def test_one_row_a_customer_with_every_column(base, scored):
    assert scored.index.tolist() == base.table.index.tolist() and scored.index.name == "customer_id"
    assert list(scored.columns) == [*PURCHASES, "expected_spend", *VALUES]
    numbers, p_alive = scored.drop(columns="p_alive"), scored["p_alive"].dropna()
    assert numbers.notna().all().all() and np.isfinite(numbers.to_numpy()).all()
    assert p_alive.between(0, 1).all() and scored["p_purchase"].between(0, 1).all()
    assert (scored["p_purchase"] <= scored["p_alive"].fillna(1.0) + 1e-12).all()
    for name in ("purchases", "expected_value", "worth", "realised_value"):
        levels = scored[[f"{name}_q{p}" for p in (5, 25, 50, 75, 95)]]
        assert (levels.diff(axis=1).iloc[:, 1:] >= 0).all().all()


def test_p_alive_is_told_where_it_can_be_known(base, scored):
    """In BG/NBD nobody leaves before a repeat purchase: 1 was told of all who bought once, however long ago."""
    bought_once = base.table["frequency"] == 0
    assert 10 < bought_once.sum() < 50
    assert scored.loc[bought_once, "p_alive"].isna().all() and scored.loc[~bought_once, "p_alive"].notna().all()
    of_mbg = score({"purchases": posteriors("mbg_nbd")["purchases"]}, base, horizon=26.0)
    assert of_mbg["p_alive"].notna().all() and of_mbg.loc[bought_once, "p_alive"].max() < 1
    assert score({"purchases": posteriors("nbd")["purchases"]}, base, horizon=26.0)["p_alive"].isna().all()


def test_purchases_alone_are_the_same_columns(base, scored):
    alone = score({"purchases": posteriors()["purchases"]}, base, horizon=26.0)
    pd.testing.assert_frame_equal(alone, scored[PURCHASES], check_exact=True)
    with_spend = behaviour(posteriors(), base, horizon=26.0, seed=42, draws=1000)
    pd.testing.assert_frame_equal(with_spend, scored[[*PURCHASES, "expected_spend"]], check_exact=True)


@pytest.mark.parametrize("model", ["bg_nbd", "pareto_nbd"])
def test_a_row_does_not_depend_on_company_order_or_block(model, base, monkeypatch):
    whole = score(posteriors(model), base, horizon=26.0, **MONEY)
    for label in (base.table.index[0], base.table.index[-1]):
        alone = dataclasses.replace(base, table=base.table.loc[[label]])
        pd.testing.assert_frame_equal(
            score(posteriors(model), alone, horizon=26.0, **MONEY), whole.loc[[label]], check_exact=True
        )
    backwards = dataclasses.replace(base, table=base.table.iloc[::-1])
    pd.testing.assert_frame_equal(
        score(posteriors(model), backwards, horizon=26.0, **MONEY).loc[whole.index], whole, check_exact=True
    )
    told = []
    monkeypatch.setattr("clvmodels.draws.BLOCK_ELEMENTS", DRAWS * 7)
    blocked = score(posteriors(model), base, horizon=26.0, progress=lambda *at: told.append(at), **MONEY)
    pd.testing.assert_frame_equal(blocked, whole, check_exact=True)
    assert len(told) > 2 and told[-1] == (60, 60)


def test_the_seed_moves_what_is_drawn_and_not_what_is_expected(base, scored):
    other = score(posteriors(), base, horizon=26.0, seed=1, **MONEY)
    drawn = [name for name in VALUES if name.startswith("realised")]
    assert not other[drawn].equals(scored[drawn])
    exact = ["p_alive", "expected_purchases", "expected_spend", "expected_value_mean"]
    pd.testing.assert_frame_equal(other[exact], scored[exact], check_exact=True)


def test_expected_and_realised_agree_on_average(base):
    """Within each customer: the mean of what is drawn is what is expected, up to 4.5 Monte Carlo errors."""
    found = score(posteriors(draws=4000), base, horizon=52.0, draws=4000, **MONEY)
    error = found["realised_value_sd"] / np.sqrt(4000)
    z = (found["realised_value_mean"] - found["expected_value_mean"]) / error
    assert np.abs(z).max() < 4.5
    assert (found["realised_value_sd"] > found["expected_value_sd"]).all()
    assert (found["worth_sd"] > found["expected_value_sd"]).all()
    assert (found["realised_value_sd"] > found["worth_sd"]).mean() > 0.9  # sds of draws with long tails


def test_more_time_more_purchases_and_a_margin_is_a_factor(base, scored):
    year = score(posteriors(), base, horizon=52.0, **MONEY)
    assert (year["expected_purchases"] > scored["expected_purchases"]).all()
    assert (year["p_purchase"] > scored["p_purchase"]).all()
    pd.testing.assert_series_equal(year["p_alive"], scored["p_alive"], check_exact=True)
    half = score(posteriors(), base, horizon=26.0, margin=0.15, annual_discount_rate=0.12)
    np.testing.assert_allclose(half[VALUES] * 2, scored[VALUES], rtol=1e-12)
    patient = score(posteriors(), base, horizon=26.0, margin=0.3, annual_discount_rate=0.0)
    assert (patient["expected_value_mean"] > scored["expected_value_mean"]).all()


def test_money_is_in_the_currency_whatever_the_unit_of_the_amounts(base, scored):
    cents = rescaled(base.table, money=100)
    in_cents = posteriors()
    spend = in_cents["spend"]
    data = spend.data.copy()
    data["posterior"]["v"] = data["posterior"]["v"] * 100
    in_cents["spend"] = dataclasses.replace(spend, data=data, amount_unit=0.01)
    found = score(in_cents, dataclasses.replace(base, table=cents, amount_unit=0.01), horizon=26.0, **MONEY)
    np.testing.assert_allclose(found, scored, rtol=1e-9)


# ---------------------------------------------------------------------------------------------- what is scored


def test_an_rfm_table_scores_as_its_customers(base, scored):
    frame = base.table.reset_index().sample(frac=1.0, random_state=1).rename(columns={"T": "age"})
    rfm = Customers.from_rfm(frame, time_unit="week", observation_end="2025-06-30", columns={"T": "age"})
    pd.testing.assert_frame_equal(score(posteriors(), rfm, horizon=26.0, **MONEY), scored, check_exact=True)


def test_silence_until_a_later_day_lowers_p_alive():
    orders = generate(100, 1).orders.query("time < '2025-06-30' and amount > 0").dropna()
    found = {}
    for day in ("2025-06-30", "2025-09-30"):
        read = read_transactions(orders, columns={"date": "time"}, data_end=day)
        people = summarize(read, time_unit="week").customers
        found[day] = people.table, score({"purchases": posteriors()["purchases"]}, people, horizon=26.0)
    (before, now), (after, later) = found.values()
    assert (after["T"] - before["T"]).to_numpy() == pytest.approx(92 / 7)
    assert (after["recency"] == before["recency"]).all()
    again = before["frequency"] > 0  # BG/NBD cannot end before a repeat purchase
    assert (later.loc[again, "p_alive"] < now.loc[again, "p_alive"]).all()
    assert later.loc[~again, "p_alive"].isna().all()


def grouped(sd: float = 0.7) -> dict:
    """A purchase posterior with groups that buy rarely (coefficient -1) and often (1)."""
    plain = posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, DRAWS)
    contents = {p.name: plain.stacked(p.name)[None] for p in plain.model.parameters}
    contents["alpha_by_channel"] = np.broadcast_to([-1.0, 1.0], (1, DRAWS, 2)).copy()
    contents["alpha_by_channel_sd"] = np.full((1, DRAWS), sd)
    labels = ["rarely", "often"]
    data = az.from_dict({"posterior": contents}, dims={"alpha_by_channel": ["channel"]}, coords={"channel": labels})
    effect = Effect("purchases", ("alpha",), "channel")
    made = dataclasses.replace(plain, data=data, effects=(effect,), groups={"channel": tuple(labels)})
    return {"purchases": made}


def same_history(channels: list[str]) -> Customers:
    table = table_of({f"c{k}": (2, 20.0, 30.0, 10.0) for k in range(len(channels))})
    return customers_of(table.assign(channel=channels))


def test_groups_of_the_fit_matter_and_a_new_group_is_a_draw_of_the_population():
    found = score(grouped(), same_history(["rarely", "often", "new", "new", "newer"]), horizon=26.0)
    expected = found["expected_purchases"]
    assert expected["c0"] < expected["c1"]  # a positive coefficient raises the purchase rate
    assert expected["c2"] == expected["c3"] != expected["c4"]
    together = score(grouped(), same_history(["new"]), horizon=26.0, allow_unknown_labels=True)
    assert together["expected_purchases"]["c0"] == expected["c2"]


# ---------------------------------------------------------------------------------------------- what is refused


def refused(error: type[Exception], given: dict, people: Customers, **options) -> list[str]:
    with pytest.raises(error) as caught:
        score(given, people, **{"horizon": 26.0, **options})
    return [str(problem) for problem in caught.value.problems]


def test_a_missing_group_or_statistic_is_told_by_name(base):
    assert refused(DataError, grouped(), base) == [
        "customers: no column 'channel', and the fit of BG/NBD has an effect of it. "
        "Name it in the groups when summarising or reading the table"
    ]
    bare = dataclasses.replace(base, table=base.table[["frequency", "recency"]])
    assert refused(DataError, posteriors(), bare, **MONEY) == [
        "customers: no column 'T', which BG/NBD observes",
        "customers: no column 'amount_count', which Gamma-Gamma observes",
        "customers: no column 'amount_sum', which Gamma-Gamma observes",
    ]


def test_a_rate_in_per_cent_is_refused_as_in_a_file(base):
    (text,) = refused(ConfigError, posteriors(), base, horizon=52.0, margin=0.3, annual_discount_rate=12)
    assert text == "Economics.annual_discount_rate: Must be less than 1; got 12. A yearly rate: 0.12 means 12%"


@pytest.mark.parametrize("horizon", [0.0, -1.0, np.inf, np.nan])
def test_a_horizon_is_positive_and_finite(base, horizon):
    for given, money in ((posteriors(), MONEY), ({"purchases": posteriors()["purchases"]}, {})):
        told = refused(ConfigError, given, base, horizon=horizon, **money)
        assert len(told) == 1 and "horizon: Must be" in told[0]


def test_spend_needs_its_economics_and_economics_need_spend(base):
    told = refused(ConfigError, posteriors(), base)
    assert [text.split(" is needed")[0] for text in told] == ["'margin'", "'annual_discount_rate'"]
    assert "'annual_discount_rate' is needed" in refused(ConfigError, posteriors(), base, margin=0.3)[0]
    told = refused(ConfigError, {"purchases": posteriors()["purchases"]}, base, horizon=0.0, **MONEY)
    assert len(told) == 3 and "'margin' needs a spend posterior" in told[0] and "horizon" in told[2]
    assert "share" in refused(ConfigError, posteriors(), base, margin=30.0, annual_discount_rate=0.1)[0]


def test_units_and_draws_must_agree(base):
    days = dataclasses.replace(base, time_unit="day")
    assert "differ in time unit; got week and day" in refused(ConfigError, posteriors(), days, **MONEY)[0]
    cents = dataclasses.replace(base, amount_unit=0.01)
    assert "differ in amount unit" in refused(ConfigError, posteriors(), cents, **MONEY)[0]
    uneven = {"purchases": posteriors()["purchases"], "spend": posteriors(draws=100)["spend"]}
    assert "different numbers of draws" in refused(ConfigError, uneven, base, **MONEY)[0]
    assert len(score(uneven, base, horizon=26.0, draws=100, **MONEY)) == 60


def test_a_single_point_has_no_ranges(base):
    assert refused(ConfigError, {"purchases": posteriors(draws=1)["purchases"]}, base) == [
        "purchases posterior: a single point (mle) has no ranges to score with. Fit by auto, laplace or nuts"
    ]


def test_posteriors_are_of_the_parts_they_are_given_as(base):
    pair = posteriors()
    swapped = {"purchases": pair["spend"], "spend": pair["purchases"]}
    told = refused(ConfigError, swapped, base, **MONEY)
    assert "Gamma-Gamma tells nothing of purchases" in told[0] and "BG/NBD tells nothing of spend" in told[1]
    told = refused(ConfigError, {"purchase": pair["purchases"]}, base)
    assert "did you mean 'purchases'?" in told[0] and "no posterior of purchases" in told[1]


def test_nobody_buys_more_often_than_there_are_days():
    """A purchase is a day with an order: a card of coffee bought on most days had 35 purchases in 28 days."""
    daily = pd.DataFrame(
        {"customer_id": ["a", "b"], "frequency": [171, 60], "recency": [24.9, 20.0], "T": [25.0, 25.0]}
    )
    customers = Customers.from_rfm(daily, time_unit="week", observation_end="2024-06-30")
    of_days = score({"purchases": posteriors()["purchases"]}, customers, horizon=4.0)
    assert of_days["purchases_q95"].max() <= 28 and of_days["expected_purchases"].max() <= 28
    assert of_days.loc["a", "purchases_q50"] > 20
    # A table that counts orders, more than one a day, has no such limit.
    orders = daily.assign(frequency=[400, 60])
    customers = Customers.from_rfm(orders, time_unit="week", observation_end="2024-06-30")
    assert score({"purchases": posteriors()["purchases"]}, customers, horizon=4.0)["purchases_q95"].max() > 28


def test_labels_that_the_fit_never_met_are_counted_and_all_of_them_unknown_is_refused(base):
    plain = posteriors()["purchases"]
    of_channels = {"purchases": by_channel(plain, "alpha", ("Shop", "Web"))}
    some = dataclasses.replace(base, table=base.table.assign(channel=["Shop", "TikTok", "Web"] * 20))
    assert unknown_labels(of_channels, some).to_dict("records") == [
        {"group": "channel", "label": "TikTok", "customers": 20}
    ]
    assert len(score(of_channels, some, horizon=26.0)) == 60
    none = dataclasses.replace(base, table=base.table.assign(channel="shop"))
    with pytest.raises(
        DataError, match=r"no customer has a label of 'channel' that the fit met.*The fit met Shop, Web"
    ):
        score(of_channels, none, horizon=26.0)
    assert len(score(of_channels, none, horizon=26.0, allow_unknown_labels=True)) == 60


def test_a_rate_of_12_is_no_rate_in_python_either(base):
    with pytest.raises(ConfigError, match="Must be less than 1; got 12"):
        score(posteriors(), base, horizon=26.0, margin=0.3, annual_discount_rate=12)
