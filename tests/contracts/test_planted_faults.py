"""Faults planted in the library turn the contract that is meant for them red; without them it is green."""

from __future__ import annotations

import copy
import dataclasses
import importlib
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
import pytest
from contracts import profit as profit_contracts
from contracts import spend as spend_contracts
from contracts.cases import CASES, Case, customers_of, priors_around, simulated
from contracts.line import (
    a_customer_does_not_depend_on_company,
    expected_value_is_the_discounted_integral,
    lifetime_and_spend_are_independent,
    realised_value_averages_to_expected_and_is_wider,
    worth_lies_between_expected_and_realised,
)
from contracts.purchase import (
    a_new_customer_is_a_draw_of_the_population,
    count_probabilities_are_frequencies_of_simulated_counts,
    expected_purchases_are_the_integral_over_individuals,
    log_prob_is_the_integral_over_individuals,
    own_rates_average_to_their_integral,
    p_alive_is_the_integral_over_individuals,
    probabilities_of_all_histories_add_up_to_one,
    purchases_given_own_parameters_average_to_the_expected,
    simulated_histories_follow_the_density,
    simulated_purchases_average_to_the_expected,
)
from contracts.toys_calendar import CALENDAR_CASES

from clvmodels import randomness
from clvmodels.futures import expectations, forecast, histories, individuals
from clvmodels.inference import fitting, unique_rows
from clvmodels.models.compose import Composed
from clvmodels.models.costs import referrals, returns
from clvmodels.models.costs.contract import CountModel
from clvmodels.models.counts import Counts
from clvmodels.models.discrete import Discrete
from clvmodels.models.parts import clock
from clvmodels.models.parts.beta_bernoulli import BetaBernoulli
from clvmodels.models.parts.beta_coin import BetaCoin
from clvmodels.models.parts.beta_discrete_weibull import BetaDiscreteWeibull
from clvmodels.models.parts.beta_geometric import BetaGeometric
from clvmodels.models.parts.erlang_gamma import ErlangGamma
from clvmodels.models.parts.exponential_gamma import ExponentialGamma
from clvmodels.models.parts.poisson_gamma import PoissonGamma
from clvmodels.models.parts.steps import Steps
from clvmodels.models.spend.gamma_gamma import GammaGamma
from clvmodels.valuation import parts as profit
from clvmodels.valuation import retention
from clvmodels.valuation import valuation as value

# by their paths: the package has the models themselves under these names
amounts_module = importlib.import_module("clvmodels.models.spend.gamma_gamma")
lognormal_module = importlib.import_module("clvmodels.models.spend.lognormal_spend")


class Fault(NamedTuple):
    """In `owner.name` the original is replaced by make(original); `contract` of `case` must notice."""

    owner: object
    name: str
    make: object
    case: str
    contract: object


def wrong_sign(original):
    return lambda self, rows, until, theta: (
        original(self, rows, until, theta) + 2 * theta["r"] * pt.log1p(until / theta["alpha"])
    )


def shifted(original):
    """One toss more than there was."""
    return lambda self, rows: original(self, rows) + 1


def ended_at_once(original):
    """x = 0 taken for ended, as if a coin had been tossed."""
    return lambda self, rows, theta: original(self, {**rows, "frequency": pt.maximum(rows["frequency"], 1.0)}, theta)


def one_less(original):
    def draw(self, rows, theta, rng):
        left, extra = original(self, rows, theta, rng)
        return left - 1, extra

    return draw


def without_p_alive(original):
    return lambda posterior, table, p_alive, edges, draws: original(
        posterior, table, np.ones_like(p_alive), edges, draws
    )


def never_repeats(original):
    """Everybody's first future stands for all periods: the phase of the periods is lost."""
    return lambda posterior, table, state, edges, rng: original(
        posterior, table, state, edges - edges[0] + np.diff(edges).mean(), rng
    )


def one_stream(original):
    return lambda seed, stage, labels: original(seed, "all", labels)


def one_amount_for_all(original):
    """All purchases bring the same."""

    def loop(streams, columns, n, log_median, spread, out):
        original(streams, columns, np.ones_like(n), log_median, spread, out)
        out *= n
        return True

    return loop


def by_position(original):
    """Streams by place in the block, not by label."""
    return lambda self, seed, stage, labels, draws: original(
        self, seed, stage, list(map(str, range(len(labels)))), draws
    )


FAULTS = [
    Fault(PoissonGamma, "log_density", wrong_sign, "pareto_nbd", log_prob_is_the_integral_over_individuals),
    Fault(PoissonGamma, "log_density", wrong_sign, "bg_nbd", probabilities_of_all_histories_add_up_to_one),
    Fault(BetaCoin, "log_ended", ended_at_once, "bg_nbd", p_alive_is_the_integral_over_individuals),
    Fault(BetaCoin, "tosses", shifted, "bg_nbd", log_prob_is_the_integral_over_individuals),
    Fault(BetaCoin, "draw_residual", one_less, "bg_nbd", simulated_purchases_average_to_the_expected),
    Fault(BetaCoin, "draw_residual", one_less, "bg_nbd", a_new_customer_is_a_draw_of_the_population),
    Fault(BetaCoin, "draw_residual", one_less, "bg_nbd", simulated_histories_follow_the_density),
    Fault(
        BetaCoin,
        "falls",
        lambda f: lambda self, rows, theta, n: f(self, rows, theta, n + 1),
        "bg_nbd",
        count_probabilities_are_frequencies_of_simulated_counts,
    ),
    Fault(
        ExponentialGamma,
        "expected_time",
        lambda f: lambda self, rows, theta, t: f(self, rows, theta, t) * 0 + t,
        "pareto_nbd",
        expected_purchases_are_the_integral_over_individuals,
    ),
    Fault(
        clock,
        "draw_age_at_end",
        lambda f: lambda lifetime, purchases, rows, theta, rng: np.broadcast_to(rows["T"], rng.shape),
        "pareto_nbd",
        own_rates_average_to_their_integral,
    ),
    Fault(
        individuals,
        "evaluate_p_alive",
        lambda f: lambda m, r, t: f(m, r, t) ** 1.5,
        "bg_nbd",
        own_rates_average_to_their_integral,
    ),
    Fault(expectations, "expected_counts", without_p_alive, "pareto_nbd", simulated_purchases_average_to_the_expected),
    Fault(forecast, "purchase_counts", never_repeats, "pareto_nbd", simulated_purchases_average_to_the_expected),
    Fault(
        value,
        "discount_factors",
        lambda f: lambda *how: 1 / f(*how),
        "bg_nbd",
        expected_value_is_the_discounted_integral,
    ),
    Fault(
        GammaGamma,
        "expected_spend",
        lambda f: lambda self, rows, theta: f(self, rows, theta) * 1.15,
        "gamma_gamma",
        realised_value_averages_to_expected_and_is_wider,
    ),
    Fault(
        GammaGamma,
        "spend_given_own",
        lambda f: lambda self, state: f(self, state) * 1.15,
        "gamma_gamma",
        worth_lies_between_expected_and_realised,
    ),
    Fault(
        ExponentialGamma,
        "own_time",
        lambda f: lambda self, rows, theta, state, t: f(self, rows, theta, state, t) * 0 + t,
        "pareto_nbd",
        purchases_given_own_parameters_average_to_the_expected,
    ),
    Fault(  # of those who have left, too
        expectations,
        "by_living",
        lambda f: (
            lambda posterior, table, state, function, shape: f(
                posterior, table, dataclasses.replace(state, alive=np.ones_like(state.alive)), function, shape
            )
        ),
        "bg_nbd",
        worth_lies_between_expected_and_realised,
    ),
    Fault(  # all k stages are still to pass
        ErlangGamma,
        "draw",
        lambda f: lambda self, *how: (f(self, *how)[0], {"phase": 0.0 * f(self, *how)[0]}),
        "bg_cnbd_k",
        purchases_given_own_parameters_average_to_the_expected,
    ),
    Fault(
        GammaGamma,
        "spend_total",
        lambda f: lambda self, state, n, rng: n * f(self, state, np.ones_like(n), rng),
        "gamma_gamma",
        spend_contracts.money_of_n_purchases_has_their_mean_and_variance,
    ),
    Fault(
        amounts_module,
        "log_density_given_mean",
        lambda f: lambda n, s, logs, theta: f(n, s, 0.0 * logs, theta),
        "gamma_gamma",
        log_prob_is_the_integral_over_individuals,
    ),
    Fault(
        amounts_module,
        "stirling_error",
        lambda f: lambda z: f(z) / 2,
        "gamma_gamma_mean",
        spend_contracts.densities_of_all_amounts_add_up_to_one,
    ),
    Fault(
        lognormal_module,
        "_own_log_mean",
        lambda f: lambda rows, theta: (f(rows, theta)[0], 0.0 * f(rows, theta)[1]),
        "lognormal_spend",
        spend_contracts.expected_spend_is_the_integral_over_individuals,
    ),
    Fault(
        lognormal_module,
        "_sums",
        one_amount_for_all,
        "lognormal_spend",
        spend_contracts.money_of_n_purchases_has_their_mean_and_variance,
    ),
    Fault(randomness, "keyed_streams", one_stream, "bg_nbd", lifetime_and_spend_are_independent),
    Fault(
        histories,
        "_ages_of",
        lambda f: lambda m, label, own, until, most, seed: f(m, label, own, until, np.inf, seed),
        "bg_nbd",
        simulated_histories_follow_the_density,
    ),
    Fault(
        BetaBernoulli,
        "log_step",
        lambda f: lambda self, rows, until, *more: f(self, rows, until + 1, *more),
        "bg_bb",
        log_prob_is_the_integral_over_individuals,
    ),
    Fault(
        Discrete,
        "_draw_taken",
        lambda f: lambda self, rows, theta, rng: np.broadcast_to(rows["T"], rng.shape),
        "bg_bb",
        own_rates_average_to_their_integral,
    ),
    Fault(BetaGeometric, "draw_residual", one_less, "sbg", simulated_purchases_average_to_the_expected),
    Fault(
        BetaDiscreteWeibull,
        "log_survival",
        lambda f: lambda self, t, theta, xp=pt: f(self, t + 1.0, theta, xp),
        "bdw",
        probabilities_of_all_histories_add_up_to_one,
    ),
    Fault(  # the product of m over the purchases lost
        Steps,
        "log_intensity",
        lambda f: lambda self, rows, theta: 0.0 * f(self, rows, theta),
        "bg_nbd on weeks",
        probabilities_of_all_histories_add_up_to_one,
    ),
    Fault(  # kinks passed over
        Steps,
        "jumps",
        lambda f: lambda self, rows: f(self, rows)[..., :0],
        "pareto_nbd on weeks",
        expected_purchases_are_the_integral_over_individuals,
    ),
    Fault(
        value,
        "discount_factors",
        lambda f: lambda edges, *how: f(edges - 0.5, *how),
        "bg_bb",
        expected_value_is_the_discounted_integral,
    ),
]


def fresh(case: Case) -> Case:
    """The case with a model of its own, evaluated by its page, where faults are planted (those of kernels differ from
    the page, `test_densities.py`): what is compiled is kept by model, and by lifetime."""
    model = copy.copy(case.model)
    model.kernel = None
    if isinstance(model, Composed):
        model.lifetime = copy.copy(model.lifetime)
    return dataclasses.replace(case, model=model)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.case}-{f.name}-{f.make.__name__}-{f.contract.__name__}")
def test_a_fault_turns_its_contract_red(fault, monkeypatch):
    case = (CASES | CALENDAR_CASES)[fault.case]
    fault.contract(case)
    monkeypatch.setattr(fault.owner, fault.name, fault.make(getattr(fault.owner, fault.name)))
    with pytest.raises(AssertionError):
        fault.contract(fresh(case))


def test_streams_by_place_turn_the_contract_of_company_red(monkeypatch):
    case = CASES["bg_nbd"]
    monkeypatch.setattr(randomness.KeyedRandom, "__init__", by_position(randomness.KeyedRandom.__init__))
    with pytest.raises(AssertionError):
        a_customer_does_not_depend_on_company(case, lambda size: None)


def test_sums_by_matrix_products_turn_the_contract_of_company_red(monkeypatch):
    """Their last digit depends on the size of the block."""
    by_product = lambda values, weights, total: np.matmul(values, weights, out=total)  # noqa: E731
    monkeypatch.setattr(expectations, "_add_up_periods", by_product)
    with pytest.raises(AssertionError):
        a_customer_does_not_depend_on_company(CASES["bg_nbd"], lambda size: None)


def test_an_unsorted_fit_turns_the_order_of_rows_red(monkeypatch):
    """Rows in the order of the table: the sums' last bits, and so the draws, follow the order."""
    case, table = CASES["gamma_gamma"], simulated(CASES["gamma_gamma"])
    priors = priors_around(case)

    def as_given(table, observes, groups=None):
        rows = {name: table[name].to_numpy(dtype=float) for name in observes}
        return unique_rows.UniqueRows(rows, np.ones(len(table)), {}, np.arange(len(table)))

    def same() -> bool:
        drawn = [
            fitting.fit(case.model, customers_of(t), priors=priors, method="laplace", draws=200, seed=3).stacked("p")
            for t in (table, table.iloc[::-1])
        ]
        return np.array_equal(*drawn)

    assert same()
    monkeypatch.setattr(fitting, "condense", as_given)
    assert not same()


# ---------------------------------------------------------------------------------------------- of the parts of value


def against_brute_force():
    profit_contracts.the_parts_are_those_of_brute_force("bg_nbd", "gamma_gamma")


def worth_against_brute_force():
    profit_contracts.worth_is_the_mean_of_ones_futures("bg_nbd", "gamma_gamma")


def one_order_less(orders):
    return dataclasses.replace(orders, realised=np.maximum(orders.realised - 1.0, 0.0))


PROFIT_FAULTS = [  # owner, name, make(original), contract
    (returns, "returned_share", lambda f: lambda theta: 0.0 * f(theta) + 1.0, against_brute_force),
    (
        profit,
        "contacts_of",
        lambda f: lambda counts, silence, *how: f(counts, 0.0 * silence, *how),
        against_brute_force,
    ),
    (
        Composed,
        "chance_of_purchase",
        lambda f: lambda self, rows, theta, start, end: f(self, rows, theta, 0.0, end),
        against_brute_force,
    ),
    (
        Counts,
        "with_first",
        lambda f: lambda self: dataclasses.replace(f(self), number=np.minimum(f(self).period, f(self).number)),
        profit_contracts.a_new_customers_first_order_counts_whole,
    ),
    (
        value,
        "discount_at",
        lambda f: lambda times, rate, unit: f(times - 2.0, rate, unit),
        profit_contracts.contacts_fall_on_their_dates,
    ),
    (
        value.Values,
        "base",
        lambda f: lambda self, kind: getattr(self, kind).sum(axis=1, dtype=float),
        profit_contracts.the_base_leaves_the_credit_out,
    ),
    (  # the reward not paid
        referrals,
        "_sum_of_picks",
        lambda f: lambda pool, n, draw, rng: f(pool + 5.0, n, draw, rng),
        profit_contracts.the_credit_for_referrals_is_its_formula,
    ),
    (  # contacts of the others alone: the first purchase brings none
        CountModel,
        "events",
        lambda f: lambda self, ahead, orders, rates=None: f(self, ahead, one_order_less(orders), rates),
        profit_contracts.realised_parts_average_to_the_expected,
    ),
    (  # the population's mean in place of the customer's own
        profit.Block,
        "own_counts",
        lambda f: property(lambda self: self.mean_counts),
        worth_against_brute_force,
    ),
    (
        retention,
        "by_living",
        lambda f: (
            lambda posterior, table, state, function, shape: f(
                posterior, table, dataclasses.replace(state, alive=np.ones_like(state.alive)), function, shape
            )
        ),
        profit_contracts.worth_averages_to_the_expected,
    ),
]


@pytest.mark.parametrize("fault", PROFIT_FAULTS, ids=lambda fault: f"{fault[1]}-{fault[3].__name__}")
def test_a_fault_in_the_parts_turns_its_contract_red(fault, monkeypatch):
    owner, name, make, contract = fault
    monkeypatch.setattr(value, "BROUGHT", 30)
    monkeypatch.setattr(profit_contracts, "BROUGHT", 30)
    if contract not in (against_brute_force, worth_against_brute_force):  # green in test_parts.py, at some cost
        contract()
    monkeypatch.setattr(owner, name, make(getattr(owner, name)))
    with pytest.raises(AssertionError):
        contract()
