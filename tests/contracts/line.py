"""What holds from a posterior to values, whatever the models: the economics, the company of rows, independence."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pandas as pd
from contracts.cases import Case, as_theta, customers_of, pair_of, posterior_of, roles_of, simulated
from contracts.purchase import close, mean_is
from scipy import stats

from clvmodels.customers.table import Customers
from clvmodels.draws import blocks as customer_blocks
from clvmodels.futures import forecast, individuals
from clvmodels.inference.posterior import Posterior
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import KINDS, valuation, value

DRAWS = 3000
YEAR = Economics(margin=0.3, annual_discount_rate=0.12, horizon=52.0)


def realised_value_averages_to_expected_and_is_wider(case: Case) -> None:
    values = value(roles_of(case, DRAWS), customers_of(case.table()), YEAR, seed=1, draws=DRAWS)
    realised, expected = values.realised.astype(float), values.expected.astype(float)
    mean_is(realised - expected, 0.0)
    living = individuals.present(pair_of(case, DRAWS)[0], case.table(), DRAWS, 1).p_alive > 0
    assert living.any() and np.array_equal(expected > 0, living)  # of a contract that has ended nothing is expected
    assert np.all((realised.var(axis=0) > 1.5 * expected.var(axis=0)) | ~living.any(axis=0))


def worth_lies_between_expected_and_realised(case: Case) -> None:
    """One mean, and each reading wider than the one before; what is left of the future has no mean, whoever the
    customer is."""
    values = value(roles_of(case, DRAWS), customers_of(case.table()), YEAR, seed=1, draws=DRAWS)
    expected, worth, realised = (getattr(values, kind).astype(float) for kind in KINDS)
    now = individuals.present(pair_of(case, DRAWS)[0], case.table(), DRAWS, 1)
    assert np.all(worth[~now.state.alive] == 0) and np.all(worth[now.state.alive] > 0)
    doubt_of_customer, luck = worth - expected, realised - worth
    mean_is(doubt_of_customer, 0.0)
    mean_is(luck, 0.0)
    mean_is(luck * np.minimum(worth, np.quantile(worth, 0.9, axis=0)), 0.0)
    # of who is there in one draw of a hundred, what is drawn tells no spread
    telling = now.p_alive.mean(axis=0) > 0.05
    # how far below the mean, in the mean: half the mean deviation, which no tail of a few draws decides
    below = [np.maximum(expected.mean(axis=0) - of_kind, 0.0).mean(axis=0) for of_kind in (expected, worth, realised)]
    for narrower, wider in itertools.pairwise(below):
        assert np.all((narrower < wider) | ~telling)


def expected_value_is_the_discounted_integral(case: Case) -> None:
    """margin x E[spend] x P(alive) x the integral of (1 + d)^-t over the expected purchases, on a fine grid; of
    opportunities, the sum, each at its own date."""
    purchases, spend = pair_of(case, 3)
    customers = customers_of(case.table())
    times = np.linspace(0.0, YEAR.horizon, 2001)
    dates = (times[1:] + times[:-1]) / 2
    if customers.time == "opportunities":
        times, dates = np.arange(YEAR.horizon + 1), np.arange(1.0, YEAR.horizon + 1)
    discount = (1 + YEAR.annual_discount_rate) ** (-dates * 7 / 365.25)
    for economics in (YEAR, Economics(0.3, 0.0, 52.0)):
        found = value({"purchases": purchases, "spend": spend}, customers, economics, seed=1, draws=3).expected
        factor = discount if economics.annual_discount_rate else np.ones_like(discount)
        for d in range(3):
            one = [{name: float(v[d, 0]) for name, v in p.theta(customers.table).items()} for p in (purchases, spend)]
            rows = individuals.rows_of(customers.table, tuple({*purchases.model.observes, *spend.model.observes}))
            upto = purchases.model.expected_if_alive(rows, as_theta(one[0]), times[1:])[0]
            alive = individuals.present(purchases, customers.table, 3, 1).p_alive[d]
            flow = np.diff(upto, axis=-1, prepend=0.0) @ factor
            truth = 0.3 * alive * flow * spend.model.expected_spend(rows, as_theta(one[1]))[0]
            close(found[d][alive > 0] / truth[alive > 0], np.ones((alive > 0).sum()), 2e-4)
            assert np.all(found[d][alive == 0] == 0)


def every_number_of(purchases: Posterior, spend: Posterior, customers: Customers, draws: int) -> pd.DataFrame:
    """All draws of states, counts and values, a column a customer."""
    table = customers.table
    state = individuals.individuals(purchases, table, draws, 7)
    futures = forecast.forecast(purchases, customers, 26.0, seed=7, draws=draws)
    made = valuation({"purchases": purchases, "spend": spend}, customers, YEAR, seed=7, draws=draws)
    blocks = [
        np.concatenate(made.parts(table.iloc[block])["gross margin"]) for block in customer_blocks(len(table), draws, 1)
    ]  # in double precision, where `value` keeps single
    arrays = [
        state.alive,
        state.purchase_rate,
        state.residual_lifetime,
        state.residual_purchases,
        *state.extra.values(),
        futures.purchases,
        futures.expected_purchases,
        futures.p_alive,
        futures.p_any[None],
        np.concatenate(blocks, axis=1),
    ]
    return pd.DataFrame(np.concatenate([np.asarray(a, dtype=float) for a in arrays]), columns=table.index)


def digest_of(numbers: pd.DataFrame) -> str:
    ordered = np.ascontiguousarray(numbers[sorted(numbers.columns)].to_numpy())
    return hashlib.sha256(ordered.tobytes()).hexdigest()


def a_customer_does_not_depend_on_company(case: Case, set_block_size) -> None:
    """Alone, in a reversed table, in other blocks: equal to the last bit."""
    draws, table = 64, simulated(case, size=37)
    pair = pair_of(case, draws)
    whole = every_number_of(*pair, customers_of(table), draws)
    backwards = every_number_of(*pair, customers_of(table.iloc[::-1]), draws)
    pd.testing.assert_frame_equal(backwards[whole.columns], whole, check_exact=True)
    for label in (table.index[0], table.index[17], table.index[36]):
        alone = every_number_of(*pair, customers_of(table.loc[[label]]), draws)
        pd.testing.assert_frame_equal(alone, whole[[label]], check_exact=True)
    for size in (1, draws * 5):
        set_block_size(size)
        pd.testing.assert_frame_equal(every_number_of(*pair, customers_of(table), draws), whole, check_exact=True)


def lifetime_and_spend_are_independent(case: Case) -> None:
    """Rank correlations across draws, for each customer: of rate and end with spend; and of one stage with the next."""
    purchases, spend = pair_of(case, 1)
    table, draws = case.table(), DRAWS
    purchases = posterior_of(
        purchases.model, {n: float(v[0, 0]) for n, v in purchases.theta(table).items()}, draws, 0.0
    )
    spend = posterior_of(spend.model, {n: float(v[0, 0]) for n, v in spend.theta(table).items()}, draws, 0.0)
    labels = list(table.index)
    now = individuals.present(purchases, table, draws, 1)
    rows = individuals.rows_of(table, spend.model.observes)
    paid = spend.model.draw(rows, spend.theta(table), KeyedRandom(1, "spend state", labels, draws))
    left = np.minimum(now.if_alive.residual_lifetime, now.if_alive.residual_purchases)
    for drawn in (v for v in paid.values() if v.shape == left.shape):
        for other in (now.if_alive.purchase_rate, left, now.state.alive):
            for c in range(len(table)):
                if len(np.unique(other[:, c])) > 1:
                    assert abs(stats.spearmanr(drawn[:, c], other[:, c]).statistic) * np.sqrt(draws - 1) < 4.5


LINE_CONTRACTS = (
    realised_value_averages_to_expected_and_is_wider,
    worth_lies_between_expected_and_realised,
    expected_value_is_the_discounted_integral,
    lifetime_and_spend_are_independent,
)
