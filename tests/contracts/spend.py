"""What every spend model owes, as functions of a case; see contracts.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
from contracts.cases import Case, amount_statistics, as_theta, new_customers, row_arrays
from contracts.purchase import DRAWS, close, each_row, log_prob_is_the_integral_over_individuals, mean_is, money_of
from scipy import stats

from clvmodels.futures import histories
from clvmodels.models.evaluate import log_prob
from clvmodels.randomness import KeyedRandom


def _drawn(case: Case, table: pd.DataFrame, draws: int):
    rows = {name: values[None] for name, values in row_arrays(table).items()}
    return case.model.draw(rows, as_theta(case.theta), KeyedRandom(1, "spend state", list(table.index), draws))


def densities_of_all_amounts_add_up_to_one(case: Case) -> None:
    for x in (1, 2):
        amounts, log_cell = case.story.all_histories(x)
        of_means = {"frequency": np.full(len(amounts), float(x)), "monetary_value": amounts.mean(axis=1)}
        rows = of_means | amount_statistics(amounts)
        for theta in case.thetas:
            log_p = log_prob(case.model, rows, as_theta(theta))[0]
            close(np.exp(log_p + log_cell).sum(), 1.0, 1e-7)


def no_repeat_purchase_says_nothing(case: Case) -> None:
    rows = {name: np.zeros(2) for name in case.model.observes} | {"frequency": np.array([0.0, 2.0])}
    assert np.array_equal(log_prob(case.model, rows, as_theta(case.theta))[0], [0.0, 0.0])


def own_spend_averages_to_its_integral(case: Case) -> None:
    state = _drawn(case, case.table(), DRAWS)
    for name in case.story.individual(case.theta):
        for power in (1, 2):
            truth = [
                case.story.mean(
                    case.theta,
                    lambda own, row=row: case.story.log_density(row, case.theta, own),
                    lambda own: own[name] ** power,
                )
                for row in each_row(case)
            ]
            mean_is(state[name] ** power, np.array(truth))


def a_new_customer_spends_as_the_population(case: Case) -> None:
    state = _drawn(case, new_customers(DRAWS), 1)
    for name, law in case.story.individual(case.theta).items():
        assert stats.kstest(state[name][0], law.cdf).pvalue > 1e-5, name


def spend_given_own_parameters_is_that_of_the_individual(case: Case) -> None:
    state = _drawn(case, case.table(), 50)
    own = {name: state[name] for name in case.story.individual(case.theta)}
    close(case.model.spend_given_own(state), case.story.amount(case.theta, own))


def expected_spend_is_the_integral_over_individuals(case: Case) -> None:
    rows = {name: values[None] for name, values in row_arrays(case.table()).items()}
    for theta in case.thetas:
        truth = [
            case.story.mean(
                theta,
                lambda own, row=row: case.story.log_density(row, theta, own),
                lambda own: case.story.amount(theta, own),
            )
            for row in each_row(case)
        ]
        close(case.model.expected_spend(rows, as_theta(theta))[0], truth, 1e-7)


def money_of_n_purchases_has_their_mean_and_variance(case: Case) -> None:
    table = case.table()
    state, n = _drawn(case, table, DRAWS), np.array([0.0, 1.0, 7.0])
    rng = KeyedRandom(1, "spend", list(table.index), DRAWS)
    money = money_of(case.model, state, np.broadcast_to(n, (DRAWS, len(table), 3)), rng)
    own = {name: state[name][..., None] for name in case.story.individual(case.theta)}
    mean, variance = n * case.story.amount(case.theta, own), n * case.story.variance(case.theta, own)
    assert np.all(money[..., 0] == 0) and np.all(money >= 0)
    z = (money - mean)[..., 1:] / np.sqrt(variance[..., 1:])
    mean_is(z, 0.0)
    mean_is(z**2, 1.0)


def simulated_amounts_average_to_the_expected(case: Case) -> None:
    purchases = pd.DataFrame({"customer_id": np.repeat(histories.labels_of(DRAWS), 3)})
    amounts = histories.simulate_amounts(case.model, case.theta, purchases, 1)
    by_customer = amounts.to_numpy().reshape(DRAWS, 3)
    empty = {name: np.zeros((1, 1)) for name in case.model.observes}
    mean_is(by_customer.mean(axis=1), case.model.expected_spend(empty, as_theta(case.theta))[0, 0])
    assert len(np.unique(by_customer)) == by_customer.size


SPEND_CONTRACTS = (
    log_prob_is_the_integral_over_individuals,
    densities_of_all_amounts_add_up_to_one,
    no_repeat_purchase_says_nothing,
    own_spend_averages_to_its_integral,
    a_new_customer_spends_as_the_population,
    spend_given_own_parameters_is_that_of_the_individual,
    expected_spend_is_the_integral_over_individuals,
    money_of_n_purchases_has_their_mean_and_variance,
    simulated_amounts_average_to_the_expected,
)
