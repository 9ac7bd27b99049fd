"""The value in parts: against brute force, and the rules of account.

What could be infinite, and why it is not: a sum without end (the horizon is finite, or refused); the mean of a gamma
mixture of gamma amounts (q is above 1 by its parameter); log-normal amounts and costs (all moments are finite);
margins (normal), counts within a horizon (Poisson at rates that are gamma), shares and chances (bounded).
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from contracts.brute_force import History
from contracts.cases import CASES, case_of, posterior_of
from contracts.profit import (
    a_new_customers_first_order_counts_whole,
    contacts_fall_on_their_dates,
    made,
    realised_parts_average_to_the_expected,
    revenue_is_what_margin_is_of,
    the_base_leaves_the_credit_out,
    the_credit_for_referrals_is_its_formula,
    the_parts_are_those_of_brute_force,
    worth_averages_to_the_expected,
    worth_is_the_mean_of_ones_futures,
)
from contracts.profit_cases import FULL, HISTORIES, ROLE_MODELS, THETA, customers, posteriors_of, table_of_histories
from contracts.purchase import close
from contracts.toys_calendar import CALENDAR_CASES

from clvmodels.customers.table import Customers
from clvmodels.errors import ConfigError, DataError
from clvmodels.futures.newcomers import newcomer_table
from clvmodels.models import MODELS
from clvmodels.valuation.discounting import discount_factors, period_edges
from clvmodels.valuation.economics import Economics, Referral, Retention
from clvmodels.valuation.parts import PARTS
from clvmodels.valuation.valuation import valuation, value

FEW = 30


@pytest.fixture(autouse=True)
def few_are_brought(monkeypatch, request):
    """Fewer new customers to pick from cost less, and say the same of one customer; but for the tests of many."""
    if "slow" not in request.keywords and "credit" not in request.node.name:
        monkeypatch.setattr("clvmodels.valuation.valuation.BROUGHT", FEW)


PAIRS = [(p, s) for p in ("pareto_nbd", "bg_nbd") for s in ("gamma_gamma", "lognormal_spend")]


@pytest.mark.parametrize(("purchases", "spend"), PAIRS)
def test_parts_against_brute_force(purchases, spend):
    the_parts_are_those_of_brute_force(purchases, spend)


@pytest.mark.parametrize(("purchases", "spend"), PAIRS)
def test_worth_against_brute_force(purchases, spend):
    worth_is_the_mean_of_ones_futures(purchases, spend)


@pytest.mark.parametrize("purchases", ["pareto_nbd", "bg_nbd", "mbg_nbd", "gg_nbd", "nbd"])
def test_the_parts_of_worth_average_to_the_expected(purchases):
    worth_averages_to_the_expected(purchases)


@pytest.mark.slow
@pytest.mark.parametrize(("purchases", "spend"), PAIRS)
def test_parts_against_brute_force_of_many(purchases, spend):
    the_parts_are_those_of_brute_force(purchases, spend, 6000, 40_000)


@pytest.mark.parametrize("purchases", ["pareto_nbd", "bg_nbd"])
def test_realised_parts_average_to_the_expected(purchases):
    realised_parts_average_to_the_expected(purchases)


# ------------------------------------------------------------------------------------------------ the rules of account


def test_parts_sum_to_the_whole_in_every_draw():
    found = value(posteriors_of("bg_nbd", "lognormal_spend", 60, spread=0.2), customers(), FULL, seed=1, draws=60)
    assert list(found.parts) == list(PARTS)
    for kind in ("expected", "realised"):
        each = np.array([getattr(part, kind) for part in found.parts.values()], dtype=float)
        assert np.all(np.abs(each).sum(axis=(1, 2)) > 0)
        off = np.abs(each.sum(axis=0) - getattr(found, kind))
        assert np.all(off <= 1e-6 * np.abs(each).sum(axis=0))


@pytest.mark.parametrize("roles", [(), ("contacts", "referrals")])
def test_with_all_costs_0_the_value_is_revenue_times_margin(roles):
    revenue_is_what_margin_is_of(roles)


def returns_of(**economics) -> tuple:
    plain = Economics(**{"margin": 0.3, "annual_discount_rate": 0.12, "horizon": 26.0, **economics})
    one = made(plain, roles=("returns",))
    flows = one.flows(one.customers.table)
    return flows["returns"], flows["gross margin"]


def test_a_return_that_is_sold_again_loses_the_handling_only():
    for flow in returns_of(resold=1.0)[0]:
        assert np.all(flow == 0)
    handled = returns_of(resold=1.0, cost_per_return=4.0)[0]
    number = handled.realised / -4.0
    assert np.array_equal(number, np.round(number)) and number.sum() > 20
    close(handled.expected.mean(axis=0).sum(axis=-1) / -4.0, number.mean(axis=0).sum(axis=-1), 0.5)
    twice = (
        returns_of(resold=0.4, cost_per_return=8.0)[0].realised
        - returns_of(resold=0.4, cost_per_return=4.0)[0].realised
    )
    close(twice, handled.realised, 1e-9)


def test_a_return_loses_the_margin_of_what_is_not_sold_again_and_the_goods_that_are_written_off():
    """Let z be sent back: the margin m z if its goods are as good as new, all of z if they are worth nothing."""
    for kind in ("expected", "realised"):
        sent_back = -getattr(returns_of(written_off=1.0)[0], kind)
        assert sent_back.sum() > 0
        for margin in (0.3, 0.6):
            lost = {
                (resold, waste): -getattr(returns_of(margin=margin, resold=resold, written_off=waste)[0], kind)
                for resold, waste in ((0.0, 0.0), (0.0, 1.0), (0.25, 0.5), (1.0, 0.0))
            }
            close(lost[0.0, 0.0], margin * sent_back, 1e-9)
            close(lost[0.0, 1.0], sent_back, 1e-9)
            close(lost[0.25, 0.5], (0.25 * margin + 0.5) * sent_back, 1e-9)
            assert np.all(lost[1.0, 0.0] == 0)
        money = getattr(returns_of(margin=1.0)[1], kind)
        assert np.all(sent_back <= money * (1 + 1e-12))


def test_what_is_not_paid_is_lost_and_fees_are_paid_on_all_amounts():
    plain = Economics(0.3, 0.12, 26.0)
    alone = made(plain, roles=("bad_debt",))
    table = alone.customers.table
    owed, margin = (alone.flows(table)[name] for name in ("payments", "gross margin"))
    economics = dataclasses.replace(
        plain, recovered=0.25, payment_fee=0.02, payment_fee_per_order=0.5, cost_per_order=1.0
    )
    flows = made(economics, roles=("bad_debt",)).flows(table)
    for kind in ("expected", "realised"):
        lost, money, orders = getattr(owed, kind), getattr(margin, kind) / 0.3, getattr(flows["fulfilment"], kind)
        assert lost.sum() < 0 and np.all(-lost <= money * (1 + 1e-12))
        close(getattr(flows["payments"], kind), 0.75 * lost - 0.02 * money + 0.5 * orders, 1e-9)
    assert np.all(
        made(dataclasses.replace(plain, recovered=1.0), roles=("bad_debt",)).flows(table)["payments"].realised == 0
    )


def test_acquisition_is_sunk_for_a_customer_that_the_firm_has():
    """No economics of the residual value speaks of it, and no part tells it, of those who are brought neither."""
    assert not any("acquisition" in name for name in [*PARTS, *(f.name for f in dataclasses.fields(Economics))])
    one = made()
    assert set(one.flows(one.customers.table)) == set(PARTS)


def test_the_credit_for_referrals_is_its_formula_at_depth_one():
    the_credit_for_referrals_is_its_formula()


def test_base_totals_leave_the_credit_for_referrals_out():
    the_base_leaves_the_credit_out()


def test_a_new_customers_first_order_counts_undiscounted():
    a_new_customers_first_order_counts_whole()


def test_contacts_count_at_their_own_dates():
    contacts_fall_on_their_dates()


def test_what_keeping_customers_costs_changes_no_other_part():
    """However far apart contacts are: the other parts are counted by the month."""
    monthly = made(dataclasses.replace(FULL, horizon=48.0, retention=None), 20)
    seldom = made(dataclasses.replace(FULL, horizon=48.0, retention=Retention(1.0, 24.0, 24.0)), 20)
    assert np.diff(seldom.edges).max() * 7 <= 365.25 / 12
    first, second = (m.parts(m.customers.table) for m in (monthly, seldom))
    for name in set(PARTS) - {"retention", "referrals"}:
        close(second[name].expected / first[name].expected, np.ones((20, 3)), 2e-4)


def test_a_customer_does_not_depend_on_company(monkeypatch):
    """Alone, in any order, in any size of block: to the last bit, with all cost models on."""
    histories = {f"{name} {k}": h for k in range(3) for name, h in HISTORIES.items()}
    posteriors, table = posteriors_of("bg_nbd", "lognormal_spend", 32, spread=0.1), table_of_histories(histories)

    def all_of(some) -> dict[tuple[str, str], pd.DataFrame]:
        people = dataclasses.replace(customers(), table=some)
        one = valuation(posteriors, people, FULL, seed=5, draws=32)
        places = list(one.blocks(some))
        blocks = [one.parts(some.iloc[block]) for block in places]
        found = {}
        for key in itertools.product(PARTS, ("expected", "realised")):
            columns = np.concatenate([getattr(block[key[0]], key[1]) for block in blocks], axis=1)
            found[key] = pd.DataFrame(columns, index=range(32), columns=some.index[np.concatenate(places)])
        return found

    def same(found, some) -> None:
        for key, numbers in found.items():
            pd.testing.assert_frame_equal(numbers[some.index], whole[key][some.index], check_exact=True)

    whole = all_of(table)
    same(all_of(table.iloc[::-1]), table)
    for label in (table.index[0], table.index[5]):
        same(all_of(table.loc[[label]]), table.loc[[label]])
    for size in (1, 32 * 4):
        monkeypatch.setattr("clvmodels.draws.BLOCK_ELEMENTS", size)
        same(all_of(table), table)


def test_periods_of_opportunities_have_parts_too():
    """Without contacts to keep customers, which need continuous time."""
    case = case_of("bg_bb")
    table = case.table().drop(columns="birth", errors="ignore")
    for name, model in ROLE_MODELS.items():
        table = table.assign(**dict.fromkeys(set(model.observes) - set(table), 0.0))
        assert set(model.observes) <= set(table), name
    people = Customers(table, "month", pd.Timestamp("2025-06-30"), "EUR", time="opportunities")
    posteriors = posteriors_of("pareto_nbd", "gamma_gamma", 2000)
    posteriors["purchases"] = posterior_of(case.model, case.theta, 2000, 0.0)
    posteriors = {role: dataclasses.replace(p, time_unit="month") for role, p in posteriors.items()}
    economics = dataclasses.replace(FULL, horizon=6.0, retention=None)
    found = value(posteriors, people, economics, seed=1, draws=2000)
    assert list(found.parts) == [name for name in PARTS if name != "retention"]
    for part in found.parts.values():
        realised, expected = part.realised.astype(float), part.expected.astype(float)
        error = np.sqrt(realised.var(axis=0) / 2000)
        assert np.all(np.abs((realised - expected).mean(axis=0)) <= 4.5 * error + 1e-12)
    with pytest.raises(ConfigError) as refused:
        value(posteriors, people, dataclasses.replace(economics, retention=FULL.retention), seed=1, draws=20)
    assert "retention" in str(refused.value)


# ------------------------------------------------------------------------------------------------------ what is refused


def refused(economics: Economics, posteriors, people=None, error=ConfigError) -> list[str]:
    with pytest.raises(error) as caught:
        value(posteriors, people or customers(), economics, seed=1, draws=20)
    return list(map(str, caught.value.problems))


def test_moments_that_are_infinite_or_undefined_are_refused_by_name():
    for horizon in (np.inf, np.nan):
        with pytest.raises(ConfigError, match="horizon: Must be a finite number"):
            Economics(0.3, 0.12, horizon)
    q = next(p for p in MODELS["gamma_gamma"].parameters if p.name == "q")
    assert q.lower == 1.0 and q.value(q.stated(-30.0)) > 1.0  # however low the free coordinate
    near = THETA["gamma_gamma"] | {"q": 1.0 + 1e-9}
    posteriors = posteriors_of("pareto_nbd", "gamma_gamma", 20, ())
    posteriors["spend"] = posterior_of(MODELS["gamma_gamma"], near, 20, 0.0)
    assert np.isfinite(value(posteriors, customers(), Economics(0.3, 0.12, 26.0), seed=1, draws=20).expected).all()
    for wrong in ({"incremental": np.nan}, {"incremental": 1.1}, {"incremental": 0.5, "reward": np.inf}):
        with pytest.raises(ConfigError):
            dataclasses.replace(FULL, referral=Referral(**wrong))
    for name in ("cost_per_order", "cost_per_return", "cost_per_contact", "payment_fee", "recovered", "resold"):
        for number in (np.nan, np.inf, -0.1):
            with pytest.raises(ConfigError, match=name):
                dataclasses.replace(FULL, **{name: number})


def test_economics_that_need_a_model_are_refused_all_at_once():
    economics = Economics(
        None,
        0.12,
        26.0,
        cost_per_return=1.0,
        cost_per_contact=1.0,
        cost_per_minute=1.0,
        resold=0.5,
        written_off=0.1,
        recovered=0.5,
        referral=Referral(0.5),
        retention=FULL.retention,
    )
    posteriors = posteriors_of("pareto_nbd", "gamma_gamma", 20, ())
    posteriors["purchases"] = posterior_of(CASES["bg_cnbd_k"].model, CASES["bg_cnbd_k"].theta, 20)
    people = customers()
    people = dataclasses.replace(people, table=people.table.assign(sum_log_gaps=0.0))
    text = refused(economics, posteriors, people)
    assert len(text) == 9
    for words in (
        "cost_per_return",
        "cost_per_contact",
        "cost_per_minute",
        "resold",
        "written_off",
        "recovered",
        "referral needs",
        "no margin",
        "silence does not go with",
    ):
        assert sum(words in one for one in text) == 1, words


def test_what_is_told_twice_or_by_half_is_refused():
    full = posteriors_of("pareto_nbd", "gamma_gamma", 20)
    assert "margin is both" in refused(dataclasses.replace(FULL, margin=0.3), full)[0]
    assert "cost_per_contact is both" in refused(dataclasses.replace(FULL, cost_per_contact=1.0), full)[0]
    assert "how many contacts come" in refused(FULL, {r: p for r, p in full.items() if r != "contacts"})[0]


def test_posteriors_of_other_roles_and_customers_without_their_columns_are_refused():
    full = posteriors_of("pareto_nbd", "gamma_gamma", 20)
    wrong = {"returns": full["bad_debt"], "margin": full["margin"]}
    text = refused(FULL, wrong)
    assert len(text) == 3 and "no posterior of purchases" in text[0] and "tells nothing of returns" in text[2]
    lacking = dataclasses.replace(customers(), table=customers().table.drop(columns=["returnable", "margin_sum"]))
    assert {t.split("'")[1] for t in refused(FULL, full, lacking, DataError)} == {"returnable", "margin_sum"}


def test_costs_of_contacts_in_another_unit_than_the_customers_are_refused():
    full = posteriors_of("pareto_nbd", "gamma_gamma", 20)
    full["handling"] = dataclasses.replace(full["handling"], amount_unit=0.01)
    (text,) = refused(FULL, full)
    assert text.startswith("handling posterior: ") and "amount unit; got 0.01 and 1" in text


def test_the_amount_unit_is_counted_in_every_part():
    """The same customers in cents."""
    in_dollars = value(posteriors_of("pareto_nbd", "gamma_gamma", 50), customers(), FULL, seed=4, draws=50)
    cents = {}
    for name, h in HISTORIES.items():
        paid, spent = (tuple(100 * amount for amount in amounts) for amounts in (h.amounts, h.handling))
        cents[name] = dataclasses.replace(h, amounts=paid, handling=spent)
    posteriors = posteriors_of("pareto_nbd", "gamma_gamma", 50)
    for role, model, name in (("spend", "gamma_gamma", "v"), ("handling", "handling", "m")):
        theta = THETA[model] | {name: 100 * THETA[model][name]}
        in_cents = posterior_of(posteriors[role].model, theta, 50, 0.0)
        posteriors[role] = dataclasses.replace(in_cents, amount_unit=0.01)
    again = value(posteriors, dataclasses.replace(customers(cents), amount_unit=0.01), FULL, seed=4, draws=50)
    for name, part in again.parts.items():
        close(part.expected, in_dollars.parts[name].expected, 1e-5)
        close(part.realised, in_dollars.parts[name].realised, 1e-5)


@pytest.mark.parametrize("name", ["bg_cnbd_k", "mbg_cnbd_k", "bg_bb", "sbg", "bg_nbd on weeks"])
def test_retention_refuses_models_whose_silences_it_cannot_tell(name):
    """Erlang gaps, opportunities, a calendar."""
    case = (CASES | CALENDAR_CASES)[name]
    table = case.table()
    people = Customers(table, "week", pd.Timestamp("2025-06-30"), "USD", time=table.attrs.get("time", "continuous"))
    posteriors = {
        "purchases": posterior_of(case.model, case.theta, 20),
        "spend": posterior_of(MODELS["gamma_gamma"], THETA["gamma_gamma"], 20),
    }
    economics = Economics(0.3, 0.12, 26.0, retention=FULL.retention)
    assert "retention by silence does not go with this model" in refused(economics, posteriors, people)[0]


def test_new_customers_of_unknown_labels_and_on_calendars_are_refused():
    case = CALENDAR_CASES["bg_nbd on weeks"]
    with pytest.raises(ConfigError, match="calendar"):
        newcomer_table({"purchases": posterior_of(case.model, case.theta, 20)}, 3, {})


# ---------------------------------------------------------------------------------------------------------- the edges


def parts_of(economics: Economics, histories=HISTORIES, posteriors=None, draws=50):
    posteriors = posteriors or posteriors_of("pareto_nbd", "lognormal_spend", draws, spread=0.1)
    return value(posteriors, customers(histories), economics, seed=4, draws=draws)


def test_a_horizon_before_the_second_contact_costs_the_first():
    """At once, for who has bought lately: nothing is uncertain about it."""
    silence = np.array([history.silence for history in HISTORIES.values()])
    first = -FULL.retention.cost * (silence < FULL.retention.until_silent)
    assert 0 < np.count_nonzero(first) < len(first)
    for horizon in (4.0, 3.9, 1e-3):
        found = parts_of(dataclasses.replace(FULL, horizon=horizon))
        for kind in found.parts["retention"]:
            close(kind, np.broadcast_to(first, kind.shape), 1e-6)
        assert np.all(found.parts["fulfilment"].expected < 0) and np.isfinite(found.realised).all()
    assert np.all(parts_of(dataclasses.replace(FULL, horizon=4.1)).parts["retention"].expected <= first)


def test_nobody_alive_brings_nothing_and_costs_the_contacts_of_who_was_seen_lately():
    gone = {"gone": History(40, 1.0, 400.0, (20.0,) * 40, (41, 3), (41, 0), (41, 9), (4.0,), (41, 1), (0.3,))}
    found = parts_of(FULL, gone)
    assert np.all(found.realised == 0) and np.abs(found.expected).max() < 1e-6
    ended = {"ended": dataclasses.replace(gone["gone"], T=6.0)}  # silent for 5 weeks: contacted at once and 4 weeks on
    economics = dataclasses.replace(FULL, retention=Retention(1.5, 4.0, 12.0), annual_discount_rate=0.0)
    part = parts_of(economics, ended).parts["retention"]
    assert np.median(part.realised) == -3.0 and np.all(part.expected <= -3.0)


@pytest.mark.parametrize("amount", [1e-2, 1e6])
@pytest.mark.parametrize("spend", ["gamma_gamma", "lognormal_spend"])
def test_amounts_of_a_cent_and_of_a_million(amount, spend):
    """The margin of twice the money is twice as much."""
    theta = {
        "gamma_gamma": THETA["gamma_gamma"] | {"v": amount},
        "lognormal_spend": THETA["lognormal_spend"] | {"m": amount},
    }[spend]
    found = []
    for factor in (1.0, 2.0):
        scaled = theta | {name: theta[name] * factor for name in ("v", "m") if name in theta}
        posteriors = posteriors_of("pareto_nbd", spend, 50)
        posteriors["spend"] = posterior_of(MODELS[spend], scaled, 50, 0.0)
        paid = {n: dataclasses.replace(h, amounts=(amount * factor,) * h.x) for n, h in HISTORIES.items()}
        found.append(parts_of(FULL, paid, posteriors).parts["gross margin"])
    for once, twice in zip(*found, strict=True):
        assert np.isfinite(twice).all() and np.all(np.abs(twice).max(axis=0) > 0)
        close(twice / amount, 2.0 * once / amount, 1e-5)


def test_periods_end_at_contacts_and_are_no_longer_than_a_month():
    keep = Retention(1.0, 13.0, 26.0)
    edges = period_edges(30.0, "week", retention=keep)
    assert {0.0, 13.0, 26.0, 30.0} <= set(edges) and np.diff(edges).max() * 7 <= 365.25 / 12 + 1e-9
    close(period_edges(26.0, "week", retention=Retention(1.0, 4.0, 8.0)), [0, 4, 8, 12, 16, 20, 24, 26])
    for time_unit, every in (("day", 1.0), ("month", 0.1), ("year", 1.0 / 3.0)):
        edges = period_edges(2.0, time_unit, retention=Retention(1.0, every, 3 * every))
        assert np.all(np.diff(edges) > 1e-9) and edges[-1] == 2.0
        close(
            (edges / every)[np.isclose(edges / every, np.round(edges / every))][1:],
            np.arange(1, int(2 / every + 1e-9) + 1),
            1e-9,
        )


def test_the_least_discount_is_none():
    edges = period_edges(520.0, "week")
    for rate in (1e-18, 1e-14, 1e-9):
        close(discount_factors(edges, rate, "week"), np.ones(len(edges) - 1), 1e-8)
    close(discount_factors(edges, 1e-7, "week"), 1.0 - 1e-7 * (edges[1:] + edges[:-1]) / 2 * 7 / 365.25, 1e-12)


@pytest.mark.parametrize(("horizon", "unit"), [(1e5, "week"), (1201.0, "month"), (101.0, "year")])
def test_a_horizon_beyond_any_life_is_refused(horizon, unit):
    with pytest.raises(ConfigError, match="horizon is longer than any customer's life"):
        period_edges(horizon, unit)
    assert period_edges(100.0, "year")[-1] == 100.0
