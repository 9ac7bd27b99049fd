"""What the parts of a value owe: called by test_parts.py, and under planted faults."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from contracts.brute_force import PARTS as PARTS_OF_BRUTE_FORCE
from contracts.brute_force import futures, individuals, with_other_luck
from contracts.profit_cases import FULL, HISTORIES, ROLE_MODELS, customers, posteriors_of, world_of
from contracts.purchase import close, mean_is
from scipy import stats

from clvmodels.futures.individuals import rows_of
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.parts import PARTS
from clvmodels.valuation.valuation import BROUGHT, KINDS, Valuation, valuation, value

Z = 4.0
KS = 2.2
"""Of two samples, in units of sqrt((n + m) / (n m)): exceeded once in 8,000 times."""


def made(
    economics: Economics = FULL, draws: int = 50, spread: float = 0.1, roles: Sequence[str] = tuple(ROLE_MODELS)
) -> Valuation:
    found = posteriors_of("pareto_nbd", "gamma_gamma", draws, roles, spread)
    return valuation(found, customers(), economics, seed=3, draws=draws)


def the_parts_are_those_of_brute_force(purchases: str, spend: str, draws: int = 2000, size: int = 5000) -> None:
    """Means of realised and expected, and the law of realised: each part, and the whole."""
    found = value(posteriors_of(purchases, spend, draws), customers(), FULL, seed=1, draws=draws)
    assert tuple(found.parts) == tuple(PARTS) == PARTS_OF_BRUTE_FORCE
    for c, history in enumerate(HISTORIES.values()):
        brute = futures(world_of(purchases, spend), history, size, np.random.default_rng([1, c]))
        told = {name: tuple(of_kind[:, c] for of_kind in part) for name, part in found.parts.items()}
        told["whole"] = tuple(getattr(found, kind)[:, c] for kind in KINDS)
        brute["whole"] = sum(brute.values())
        for name, of_kinds in told.items():
            expected, worth, realised = (of_kind.astype(float) for of_kind in of_kinds)
            truth = brute[name]
            for drawn in (expected, worth, realised):
                error = np.sqrt(truth.var() / size + drawn.var() / draws)
                assert abs(drawn.mean() - truth.mean()) < Z * error, (name, drawn.mean(), truth.mean(), error)
            apart = stats.ks_2samp(np.round(truth, 3), np.round(realised, 3)).statistic  # single precision has ties
            assert apart < KS * np.sqrt((size + draws) / (size * draws)), (name, apart)


def worth_is_the_mean_of_ones_futures(purchases: str, spend: str, draws: int = 4000, people: int = 2500) -> None:
    """Its variance, part by part and of the whole, is that between customers of the same history: of what is true of
    each, two futures are drawn, and share nothing else. Their covariance is the variance of the mean."""
    found = value(posteriors_of(purchases, spend, draws), customers(), FULL, seed=1, draws=draws)
    world = world_of(purchases, spend)
    for c, history in enumerate(HISTORIES.values()):
        rng = np.random.default_rng([2, c])
        own = individuals(world, history, people, rng)
        other = with_other_luck(own, rng)
        twice = {name: np.concatenate([values, other[name]]) for name, values in own.items()}
        brute = futures(world, history, 2 * people, rng, own=twice)
        told = {name: part.worth[:, c] for name, part in found.parts.items()} | {"whole": found.worth[:, c]}
        brute["whole"] = sum(brute.values())
        for name, worth in told.items():
            first, second = brute[name][:people], brute[name][people:]
            products = (first - first.mean()) * (second - second.mean())
            squares = (worth.astype(float) - worth.mean(dtype=float)) ** 2
            error = np.sqrt(products.var() / people + squares.var() / draws)
            assert abs(products.mean() - squares.mean()) < Z * error, (name, products.mean(), squares.mean(), error)


def worth_averages_to_the_expected(purchases: str = "pareto_nbd", economics: Economics = FULL) -> None:
    """Draw by draw, part by part, and what is left to luck averages to nothing."""
    found = value(posteriors_of(purchases, "gamma_gamma", 2000, spread=0.1), customers(), economics, seed=2, draws=2000)
    for part in found.parts.values():
        mean_is(part.worth.astype(float) - part.expected, 0.0)
        mean_is(part.realised.astype(float) - part.worth, 0.0)


def realised_parts_average_to_the_expected(purchases: str = "pareto_nbd", economics: Economics = FULL) -> None:
    """Draw by draw, with population parameters that differ between draws."""
    found = value(posteriors_of(purchases, "gamma_gamma", 2000, spread=0.1), customers(), economics, seed=2, draws=2000)
    for part in found.parts.values():
        mean_is(part.realised.astype(float) - part.expected, 0.0)


def discounted(by: Valuation, by_period: np.ndarray, dated: bool = False) -> np.ndarray:
    """The sum of what a new customer brings in the period of the first order and those after it. [D, M]"""
    return by_period @ np.append(1.0, by.starts if dated else by.weights)


def a_new_customers_first_order_counts_whole() -> None:
    """One order at once, undiscounted; what follows is discounted by its period, from that order on."""
    for rate in (0.12, 0.99):
        economics = dataclasses.replace(FULL, annual_discount_rate=rate, retention=None, cost_per_order=3.0)
        one = made(economics)
        _, flows = one.new_customers(5)
        orders = flows["fulfilment"].realised / -3.0
        assert np.all(orders[..., 0] == 1.0) and np.all(flows["fulfilment"].expected[..., 0] == -3.0)
        assert flows["gross margin"].expected.shape[-1] == len(one.weights) + 1
        assert np.array_equal(orders, np.round(orders)) and orders[..., 1:].sum() > 0
        found = discounted(one, flows["fulfilment"].realised)
        close(found, -3.0 * (1.0 + (orders[..., 1:] * one.weights).sum(axis=-1)), 1e-12)
        spend, margin = one.posteriors.spend, one.posteriors.costs["margin"]
        p, q, v, m = (x[:, None] for x in (*map(spend.stacked, "pqv"), margin.stacked("m")))
        close(flows["gross margin"].expected[..., 0] / (p * v / (q - 1.0) * m), np.ones((50, 5)), 1e-12)
        assert set(flows) == set(PARTS) - {"retention", "referrals"}


def the_credit_for_referrals_is_its_formula() -> None:
    """In every draw: referrals x incremental x (value of a new customer before acquisition - reward), depth one."""
    rule = FULL.referral
    with_it = made()
    assert with_it.newcomers.realised.shape == (50, BROUGHT)
    credit, orders = (with_it.flows(with_it.customers.table)[name] for name in ("referrals", "fulfilment"))
    posterior = with_it.posteriors.costs["referrals"]
    table = with_it.customers.table
    own = posterior.model.expected_own(rows_of(table, posterior.model.observes), posterior.theta(table))
    _, flows = with_it.new_customers(BROUGHT)
    assert "referrals" not in flows
    worth = discounted(with_it, sum(part.expected for part in flows.values() if part is not flows["retention"]))
    worth = worth + discounted(with_it, flows["retention"].expected, dated=True)
    mean = orders.expected / -FULL.cost_per_order * own[..., None]
    close(credit.expected, rule.incremental * mean * (worth.mean(axis=1)[:, None, None] - rule.reward), 1e-9)
    worths = discounted(with_it, sum(part.realised for part in flows.values() if part is not flows["retention"]))
    worths = worths + discounted(with_it, flows["retention"].realised, dated=True)
    close(with_it.newcomers.realised, worths, 1e-12)
    free = made(dataclasses.replace(FULL, referral=dataclasses.replace(rule, reward=0.0))).flows(table)["referrals"]
    brought = (free.realised - credit.realised) / rule.incremental / rule.reward
    close(brought, np.round(brought), 1e-9)
    assert brought.sum() > 20 and np.all(np.abs(credit.realised[np.round(brought) == 0]) == 0)
    for d, c, p in zip(*np.nonzero(np.round(brought) == 1), strict=True):  # of one, the worth of one of the draw's own
        assert np.abs(free.realised[d, c, p] / rule.incremental - worths[d]).min() < 1e-9


def the_base_leaves_the_credit_out() -> None:
    one = value(posteriors_of("pareto_nbd", "gamma_gamma", 50, spread=0.1), customers(), FULL, seed=3, draws=50)
    for kind in KINDS:
        own = [getattr(part, kind).sum(axis=1, dtype=float) for name, part in one.parts.items() if name != "referrals"]
        close(one.base(kind), sum(own), 1e-5)
        assert np.abs(getattr(one.parts["referrals"], kind)).sum() > 1.0


def contacts_fall_on_their_dates() -> None:
    """Everybody is contacted at each date where nobody has been silent for long: the cost is that of the dates."""
    rule = dataclasses.replace(FULL.retention, every=6.0, until_silent=60.0)
    for rate in (0.0, 0.12, 0.5):
        found = made(dataclasses.replace(FULL, annual_discount_rate=rate, retention=rule), 5)
        dates = np.array([0.0, 6.0, 12.0, 18.0, 24.0])
        truth = -rule.cost * ((1.0 + rate) ** (-dates * 7.0 / 365.25)).sum()
        part = found.parts(found.customers.table)["retention"]
        close(part.expected, np.full((5, 3), truth), 1e-12)
        close(part.realised, np.full((5, 3), truth), 1e-12)


def revenue_is_what_margin_is_of(roles: tuple[str, ...] = ()) -> None:
    """With all costs 0 the value is revenue x margin, in every draw, whatever cost models are there."""
    plain = Economics(0.3, 0.12, 26.0)
    one = value(posteriors_of("pareto_nbd", "gamma_gamma", 50, roles, 0.1), customers(), plain, seed=3, draws=50)
    alone = made(Economics(1.0, 0.12, 26.0), roles=())
    revenue = alone.parts(alone.customers.table)["gross margin"]
    assert np.all(revenue.expected > 0)
    close(one.expected, 0.3 * revenue.expected, 1e-6)
    close(one.realised, 0.3 * revenue.realised, 1e-6)
