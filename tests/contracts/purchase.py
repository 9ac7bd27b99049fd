"""What every model owes, as functions of a case: called for each member of the registry, for toys, and under faults.

Means of draws are compared with exact means by their own standard error: with fixed seeds, z below 4.5 each.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from contracts.cases import (
    Case,
    as_theta,
    posterior_of,
)
from scipy import stats

from clvmodels.futures import expectations, forecast, histories, individuals
from clvmodels.models.evaluate import log_prob, p_alive
from clvmodels.randomness import KeyedRandom

DRAWS = 4000
Z = 4.5
EXACT = 1e-9
OF_INDIVIDUAL = 1e-7
"""Of an individual of any kind: the stories' own integrals and sums are good to that."""
EDGES = np.array([0.0, 4.0, 13.0, 52.0])


def mean_is(values: np.ndarray, expected: np.ndarray | float, least: np.ndarray | float = 0.0) -> None:
    """Means over the first axis are `expected`, within Z standard errors; `least` bounds the variance from below."""
    error = np.sqrt(np.maximum(np.var(values, axis=0), least) / len(values))
    z = np.abs(values.mean(axis=0) - expected) / np.maximum(error, 1e-12)
    assert np.all(z < Z), (z, values.mean(axis=0), expected)


def close(value, truth, tolerance: float = EXACT) -> None:
    value, truth = np.asarray(value, dtype=float), np.asarray(truth, dtype=float)
    excess = np.abs(value - truth) / np.maximum(np.abs(truth), 1.0)
    assert np.all(np.isfinite(value)) and np.all(excess < tolerance), (excess.max(), value, truth)


def over_periods(rng: KeyedRandom, n: np.ndarray, *own) -> tuple[np.ndarray | KeyedRandom, ...]:
    """n [D, C, P] and what is of draws and customers, one after the other, and the customers' streams for as many."""
    customer = np.broadcast_to(np.arange(n.shape[1])[:, None], n.shape).ravel()
    wide = [np.broadcast_to(np.atleast_2d(values)[..., None], n.shape).ravel() for values in own]
    return n.ravel(), *wide, rng.along(customer)


def money_of(model, state, n: np.ndarray, rng: KeyedRandom) -> np.ndarray:
    """Money of n purchases in each period. [D, C, P]"""
    counts, *own, stream = over_periods(rng, n, *state.values())
    return model.spend_total(dict(zip(state, own, strict=True)), counts, stream).reshape(n.shape)


def each_row(case: Case) -> list[dict[str, float]]:
    return case.table().to_dict("records")


def log_prob_is_the_integral_over_individuals(case: Case) -> None:
    rows = case.rows()
    for theta in case.thetas:
        truth = [case.story.log_prob(theta, row) for row in each_row(case)]
        close(log_prob(case.model, rows, as_theta(theta))[0], truth)


def p_alive_is_the_integral_over_individuals(case: Case) -> None:
    rows = case.rows()
    for theta in case.thetas:
        truth = [case.story.p_alive(theta, row) for row in each_row(case)]
        close(p_alive(case.model, rows, as_theta(theta))[0], truth)


def probabilities_of_all_histories_add_up_to_one(case: Case) -> None:
    """P(no repeat) + sum over x of the integral over the times of x purchases of exp(log_prob), in a week or two; or
    the sum over all strings of six opportunities."""
    if case.model.counts == "opportunities":
        probabilities_of_all_strings_add_up_to_one(case)
        return
    age, most = 2.0, 60
    nodes, weights = np.polynomial.legendre.leggauss(60)
    edges = np.array([0.0, *case.story.jumps(age), age])
    length = np.diff(edges)[:, None]
    recency, weights = (edges[:-1, None] + length * (nodes + 1) / 2).ravel(), (length * weights / 2).ravel()
    x = np.repeat(np.arange(1.0, most), len(recency))
    table = pd.DataFrame({"frequency": np.r_[0, x], "recency": np.r_[0, np.tile(recency, most - 1)], "T": age})
    table = case.complete(table)
    log_p = log_prob(case.model, case.rows(table), as_theta(case.theta))[0]
    case.story.individual(case.theta)  # a story may keep what all customers share
    earlier = case.story.log_earlier(table.iloc[1:])
    total = np.exp(log_p[0]) + (np.tile(weights, most - 1) * np.exp(log_p[1:] + earlier)).sum()
    close(total, 1.0, 1e-7)


def probabilities_of_all_strings_add_up_to_one(case: Case) -> None:
    """Each (x, t_x) as often as strings have it."""
    for theta in case.thetas:
        x, t_x = np.array(case.story.histories(6), dtype=float).T
        table = case.complete(pd.DataFrame({"frequency": x, "recency": t_x, "T": 6.0}))
        log_p = log_prob(case.model, case.rows(table), as_theta(theta))[0]
        close((case.story.strings(x, t_x) * np.exp(log_p)).sum(), 1.0)


def alive_draws_average_to_p_alive(case: Case) -> None:
    people = individuals.present(posterior_of(case.model, case.theta, DRAWS), case.table(), DRAWS, 1)
    p = people.p_alive
    mean_is(people.state.alive - p, 0.0, (p * (1 - p)).mean(axis=0))


def own_rates_average_to_their_integral(case: Case) -> None:
    """Of the drawn individuals, given the history, whether alive or ended; and of their squares.

    Where the draws are all the same because others are rarer than one in their number, their variance is 0 but the
    law's is not: standard errors are of the law's variance at least.
    """
    theta, story = case.theta, case.story
    people = individuals.individuals(posterior_of(case.model, theta, DRAWS, spread=0.0), case.table(), DRAWS, 1)
    drawn = {"purchase_rate": people.purchase_rate, **people.extra}
    for name in story.individual(theta):
        moment = {
            power: np.array(
                [
                    story.mean(
                        theta,
                        lambda own, row=row: np.logaddexp(story.alive(row, own), story.ended(row, own)),
                        lambda own: own[name] ** power,
                    )
                    for row in each_row(case)
                ]
            )
            for power in (1, 2, 4)
        }
        for power in (1, 2):
            mean_is(drawn[name] ** power, moment[power], moment[2 * power] - moment[power] ** 2)


def a_new_customer_is_a_draw_of_the_population(case: Case) -> None:
    """Kolmogorov-Smirnov of one draw of each of 4,000 new customers, and the law of what is left."""
    theta, story = case.theta, case.story
    people = individuals.individuals(posterior_of(case.model, theta, 1, spread=0.0), case.new_customers(DRAWS), 1, 1)
    drawn = {"purchase_rate": people.purchase_rate, **people.extra}
    for name, law in story.individual(theta).items():
        assert stats.kstest(drawn[name][0], law.cdf).pvalue > 1e-5, name
    row = case.new_customers(1).to_dict("records")[0]
    alive = story.p_alive(theta, row)
    left = getattr(people, story.end)[0]
    for t in (0.0, 1.0, 2.0, 5.0, 20.0):
        lasting = story.mean(theta, lambda own: story.alive(row, own), lambda own, t=t: story.lasts(own, t))
        share = alive * lasting
        mean_is((left > t).astype(float), share, share * (1 - share))


def expected_purchases_are_the_integral_over_individuals(case: Case) -> None:
    """Of those who can be alive: a contract that has ended has no future to expect."""
    rows = {name: values[None] for name, values in case.rows().items()}
    for theta in case.thetas:
        story = case.story
        living = [story.p_alive(theta, row) > 0 for row in each_row(case)]
        found = case.model.expected_if_alive(rows, as_theta(theta), EDGES[1:])[0][living]
        for row, values in zip(itertools.compress(each_row(case), living), found, strict=True):
            alive = lambda own, row=row: story.alive(row, own)  # noqa: E731
            expected = lambda t, row=row: story.mean(theta, alive, lambda own: story.expected_after(row, own, t))  # noqa: E731
            close(values, [expected(t) for t in EDGES[1:]])


def purchases_given_own_parameters_are_those_of_the_individual(case: Case) -> None:
    """In every draw of who the customer is; of those who can be alive."""
    table, draws = case.table(), 60
    for theta in case.thetas:
        story = case.story
        story.individual(theta)  # a story may keep what all customers share
        posterior = posterior_of(case.model, theta, draws, spread=0.0)
        rows = individuals.rows_of(table, case.model.observes)
        state = individuals.present(posterior, table, draws, 1).if_alive
        found = case.model.purchases_given_own(rows, posterior.theta(table, draws), state, EDGES[1:])
        for c, row in enumerate(each_row(case)):
            if story.p_alive(theta, row) == 0:
                continue
            drawn = {"purchase_rate": state.purchase_rate, **state.extra}
            own = {name: values[:, c] for name, values in drawn.items()}
            truth = [np.broadcast_to(story.expected_given_own(row, own, t), draws) for t in EDGES[1:]]
            close(found[:, c], np.transpose(truth), OF_INDIVIDUAL)


def purchases_given_own_parameters_average_to_the_expected(case: Case) -> None:
    """By period, those who have left among them."""
    posterior, table = posterior_of(case.model, case.theta, DRAWS), case.table()
    people = individuals.present(posterior, table, DRAWS, 1)
    found = expectations.counts_given_own(posterior, table, people.state, EDGES, np.eye(len(EDGES) - 1))
    expected = expectations.expected_counts(posterior, table, people.p_alive, EDGES, DRAWS)
    assert found.min() >= 0 and np.all(found[~people.state.alive] == 0)
    mean_is(found - expected, 0.0, 1e-12 * expected.mean(axis=0))


def simulated_purchases_average_to_the_expected(case: Case) -> None:
    """By period, and with p_alive in the mean."""
    posterior, table = posterior_of(case.model, case.theta, DRAWS), case.table()
    people = individuals.present(posterior, table, DRAWS, 1)
    stream = KeyedRandom(1, "future", list(table.index), DRAWS)
    counts = forecast.purchase_counts(posterior, table, people.state, EDGES, stream).by_period()
    expected = expectations.expected_counts(posterior, table, people.p_alive, EDGES, DRAWS)
    assert counts.min() >= 0 and np.all(counts == np.round(counts))
    mean_is(counts - expected, 0.0, expected.mean(axis=0))


def count_probabilities_are_frequencies_of_simulated_counts(case: Case) -> None:
    posterior, table = posterior_of(case.model, case.theta, DRAWS), case.table()
    people = individuals.present(posterior, table, DRAWS, 1)
    stream = KeyedRandom(1, "f", list(table.index), DRAWS)
    counts = forecast.purchase_counts(posterior, table, people.state, EDGES[:2], stream).by_period()
    rows, theta = individuals.rows_of(table, case.model.observes), posterior.theta(table, DRAWS)
    total, few = 0.0, {name: values[:100] for name, values in theta.items()}
    for n in range(60):
        wanted = np.full(len(table), float(n))
        total = total + case.model.count_probability(rows, few, wanted, EDGES[1])
        if n < 6:
            if_alive = case.model.count_probability(rows, theta, wanted, EDGES[1])
            p = people.p_alive * if_alive + (1 - people.p_alive) * (n == 0)
            mean_is((counts[..., 0] == n) - p, 0.0, (p * (1 - p)).mean(axis=0))
    assert np.all(total < 1 + EXACT) and total.mean(axis=0).min() > 0.999


def simulated_histories_follow_the_density(case: Case) -> None:
    """P(no repeat purchase) by the log density, mean frequency by the expectation of a new customer."""
    age, size = 30.0, DRAWS
    traits = {name: case.new_customers(size)[name].to_numpy() for name in case.model.traits}
    table = histories.simulate_histories(case.model, case.theta, np.full(size, age), 1, traits=traits)
    assert table.index.is_monotonic_increasing and (table["recency"] <= table["T"]).all()
    blank = pd.DataFrame({"frequency": [0.0], "recency": [0.0], "T": [0.0], "monetary_value": [0.0]}, index=["c"])
    empty = case.rows(case.complete(blank))
    never = np.exp(log_prob(case.model, case.rows(case.complete(blank.assign(T=age))), as_theta(case.theta))[0, 0])
    mean_is((table["frequency"] == 0).to_numpy(dtype=float), never)
    wide = {name: value[None] for name, value in empty.items()}
    mean = case.model.expected_if_alive(wide, as_theta(case.theta), np.array([age]))[0, 0, 0]
    mean_is(table["frequency"].to_numpy(dtype=float), mean * p_alive(case.model, empty, as_theta(case.theta))[0, 0])


PURCHASE_CONTRACTS = (
    log_prob_is_the_integral_over_individuals,
    p_alive_is_the_integral_over_individuals,
    probabilities_of_all_histories_add_up_to_one,
    alive_draws_average_to_p_alive,
    own_rates_average_to_their_integral,
    a_new_customer_is_a_draw_of_the_population,
    expected_purchases_are_the_integral_over_individuals,
    purchases_given_own_parameters_are_those_of_the_individual,
    purchases_given_own_parameters_average_to_the_expected,
    simulated_purchases_average_to_the_expected,
    count_probabilities_are_frequencies_of_simulated_counts,
    simulated_histories_follow_the_density,
)
