"""One row a customer from stored posteriors: the monthly re-scoring job, and the customers' table of a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.customers.table import Customers
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.draws import LEVELS, QUANTILES, Array, Progress, in_threads
from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.futures import expectations, forecast, individuals
from clvmodels.inference.effect_problems import check_columns
from clvmodels.inference.effects import columns_of, group_labels
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.posteriors import allowed_failures
from clvmodels.models import PurchaseModel, SpendModel
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.parts import Block
from clvmodels.valuation.valuation import check_units, discounted, valuation

SCORED: dict[str, Any] = {"purchases": PurchaseModel, "spend": SpendModel}
"""What a customer is scored by, and the models that tell of it."""

ALMOST = 1e-9
"""What a number of days may lack of a whole one: the rounding of a product."""
VALUE_NAMES = {"expected": "expected_value", "worth": "worth", "realised": "realised_value"}
"""What the columns of a table of customers begin with, by the reading of the value."""


def score(
    posteriors: Mapping[str, Posterior],
    customers: Customers,
    *,
    horizon: float,
    margin: float | None = None,
    annual_discount_rate: float | None = None,
    seed: int = 42,
    draws: int = 1000,
    progress: Progress | None = None,
    allow_failed: Collection[str] = (),
    allow_unknown_labels: bool = False,
) -> pd.DataFrame:
    """Score customers: what each is expected to do and bring within the horizon, and what may happen.

    A customer's row depends on the posteriors, the seed and its own history only: the same alone, in any order of the
    table and in any block.

    Parameters
    ----------
    posteriors
        "purchases", and "spend" where money is wanted; of the same number of draws.
    customers
        In the posteriors' time unit, with the groups and covariates that the fits had effects of.
    horizon
        Time units ahead.
    margin, annual_discount_rate
        Needed with a spend posterior, and only then: 0.3 is 30%.
    allow_failed
        Sampling checks that posteriors may have failed, by name.
    allow_unknown_labels
        Whether all customers may have labels of a group that the fit never met: each such label is drawn from the
        population of labels. Where some have, it is so; `unknown_labels` counts them.

    Returns
    -------
    DataFrame
        By customer_id: p_alive (missing where the model lets nobody of that history leave: in BG/NBD nobody who has
        not bought again has left, whatever the silence), p_purchase (at least one within the horizon),
        expected_purchases, purchases_q5 to q95 (realised); with spend, expected_spend (of a purchase) and mean, sd, q5
        to q95 of expected_value, worth and realised_value, the three readings of `Values`. Where a sampling check
        failed that is allowed to, failed_checks names it in every row.

    Raises
    ------
    FitError
        A posterior failed a sampling check that is not allowed to.
    ConfigError
        Units that differ, a horizon that is not positive and finite, spend without margin or discount rate or these
        without spend, or a posterior of one point (mle), which has no ranges.
    DataError
        Columns that are missing: statistics that a model observes, groups and covariates that a fit had effects of;
        covariates that are missing for some customers, where the fit did not say what is done with them; a group of
        which every label is unknown to the fit.
    """
    economics = _economics("spend" in posteriors, horizon, margin, annual_discount_rate)
    draws = _check(posteriors, customers, draws)
    if not allow_unknown_labels:
        _refuse_strangers(posteriors, customers)
    failed = allowed_failures(posteriors, allow_failed)
    most = _most_purchases(customers, horizon)
    valuer = None
    if economics is not None:
        valuer = valuation(posteriors, customers, economics, seed=seed, draws=draws, allow_failed=allow_failed)

    def columns(part: pd.DataFrame) -> dict[str, Array]:
        if valuer is None:
            people = individuals.present(posteriors["purchases"], part, draws, seed)
            return _behaviour_columns(posteriors, part, people, horizon, seed, customers.amount_unit, most)
        block = valuer.block(part)
        behaviour = _behaviour_columns(posteriors, part, block.people, horizon, seed, customers.amount_unit, most)
        return behaviour | _value_columns(block)

    scores = _by_block(posteriors["purchases"], customers.table, draws, columns, progress)
    return _with_failures(scores, failed)


def behaviour(
    posteriors: Mapping[str, Posterior],
    customers: Customers,
    *,
    horizon: float,
    seed: int,
    draws: int,
    allow_failed: Collection[str] = (),
) -> pd.DataFrame:
    """The columns of `score` that need no economics: up to purchases_q95, and expected_spend where spend is given."""
    _economics(False, horizon, None, None)
    draws = _check(posteriors, customers, draws)
    failed = allowed_failures(posteriors, allow_failed)
    most = _most_purchases(customers, horizon)

    def columns(part: pd.DataFrame) -> dict[str, Array]:
        people = individuals.present(posteriors["purchases"], part, draws, seed)
        return _behaviour_columns(posteriors, part, people, horizon, seed, customers.amount_unit, most)

    return _with_failures(_by_block(posteriors["purchases"], customers.table, draws, columns), failed)


def _with_failures(scores: pd.DataFrame, failed: Sequence[str]) -> pd.DataFrame:
    """The scores, with what failed in every row: a file of them goes where no report does."""
    return scores.assign(failed_checks=", ".join(failed)) if failed else scores


def _by_block(
    purchases: Posterior,
    table: pd.DataFrame,
    draws: int,
    columns: Callable[[pd.DataFrame], dict[str, Array]],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Columns computed for blocks of customers, put together again."""
    parts: list[pd.DataFrame] = []
    done = 0

    def of_block(places: NDArray[np.intp]) -> pd.DataFrame:
        part = table.iloc[places]
        return pd.DataFrame(columns(part), index=part.index)

    for part in in_threads(of_block, individuals.blocks_of_alike(purchases, table, draws)):
        parts.append(part)
        done += len(part)
        if progress is not None:
            progress(done, len(table))
    return pd.concat(parts).loc[table.index].rename_axis("customer_id")


def _economics(
    spend: bool, horizon: float, margin: float | None, annual_discount_rate: float | None
) -> Economics | None:
    """What values purchases, where spend is modelled; refused where half of it is given."""
    stated = {"margin": margin, "annual_discount_rate": annual_discount_rate}
    problems = []
    for name, number in stated.items():
        if spend and number is None:
            problems.append(Problem(f"'{name}' is needed to value spend", known="0.3 is 30%"))
        if not spend and number is not None:
            remedy = "Give one, or leave the economics away"
            problems.append(Problem(f"'{name}' needs a spend posterior", known=remedy))
    try:
        economics = Economics(margin, annual_discount_rate or 0.0, horizon)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return economics if spend else None


def _check_parts(posteriors: Mapping[str, Posterior]) -> None:
    """Refuse posteriors of other models than what they are given as."""
    remedy = "Give {'purchases': ...} and, where money is wanted, 'spend'"
    problems = [unknown("part", name, SCORED, "posteriors") for name in posteriors if name not in SCORED]
    if "purchases" not in posteriors:
        problems.append(Problem("no posterior of purchases", "posteriors", known=remedy))
    for name, posterior in posteriors.items():
        if name in SCORED and not isinstance(posterior.model, SCORED[name]):
            message = f"{posterior.model.title} tells nothing of {name}"
            problems.append(Problem(message, f"{name} posterior", "", remedy))
    if problems:
        raise ConfigError(problems)


def _check(posteriors: Mapping[str, Posterior], customers: Customers, draws: int) -> int:
    """Refuse what cannot be scored with these posteriors; the number of draws that there will be."""
    _check_parts(posteriors)
    check_units(posteriors, customers, draws)
    problems = list(_missing_columns(posteriors, list(customers.table.columns)))
    if problems:
        raise DataError(problems)
    sizes = {}
    for name, posterior in posteriors.items():
        check_columns(posterior.effects, customers.table)
        first = posterior.model.parameters[0].name  # all parameters have as many draws
        sizes[name] = len(posterior.stacked(first, draws))
    if min(sizes.values()) < 2:
        message, remedy = "a single point (mle) has no ranges to score with", "Fit by auto, laplace or nuts"
        raise ConfigError([Problem(message, f"{name} posterior", "", remedy) for name in sizes])
    return sizes["purchases"]


def _missing_columns(posteriors: Mapping[str, Posterior], columns: Sequence[str]) -> Iterator[Problem]:
    for posterior in posteriors.values():
        title = posterior.model.title
        for name in posterior.model.conditions_on:
            if name not in columns:
                yield Problem(f"no column '{name}', which {title} observes", "customers")
        for kind, names in zip(("groups", "covariates"), columns_of(posterior.effects), strict=True):
            for name in names:
                if name not in columns:
                    message = f"no column '{name}', and the fit of {title} has an effect of it"
                    remedy = f"Name it in the {kind} when summarising or reading the table"
                    yield Problem(message, "customers", "", remedy)


def unknown_labels(posteriors: Mapping[str, Posterior], customers: Customers) -> pd.DataFrame:
    """Labels of customers that the fits never met: group, label, customers. Their coefficients are drawn from the
    population of labels, so that such customers are scored with the doubt of all."""
    rows = []
    for group, met in _labels_met(posteriors).items():
        counts = group_labels(customers.table[group]).value_counts()
        strangers = counts[~counts.index.isin(met)]
        rows += [(group, str(label), int(count)) for label, count in strangers.items()]
    return pd.DataFrame(rows, columns=["group", "label", "customers"])


def _labels_met(posteriors: Mapping[str, Posterior]) -> dict[str, set[str]]:
    """The labels of each group that effects read, of all posteriors."""
    met: dict[str, set[str]] = {}
    for posterior in posteriors.values():
        for group in columns_of(posterior.effects)[0]:
            met.setdefault(group, set()).update(posterior.groups[group])
    return met


def _refuse_strangers(posteriors: Mapping[str, Posterior], customers: Customers) -> None:
    """A column of which the fit met no label is likely another column, or is written otherwise."""
    strangers = unknown_labels(posteriors, customers)
    problems = []
    for group, rows in strangers.groupby("group"):
        if rows["customers"].sum() < len(customers) or not len(customers):
            continue
        labels, met = (", ".join(sorted(names)[:5]) for names in (rows["label"], _labels_met(posteriors)[str(group)]))
        remedy = f"The fit met {met}. Where they are new indeed, say allow_unknown_labels"
        problems.append(Problem(f"no customer has a label of '{group}' that the fit met", "customers", labels, remedy))
    if problems:
        raise DataError(problems)


def _behaviour_columns(
    posteriors: Mapping[str, Posterior],
    table: pd.DataFrame,
    people: individuals.Present,
    horizon: float,
    seed: int,
    amount_unit: float,
    most: float,
) -> dict[str, Array]:
    posterior, draws = posteriors["purchases"], len(people.p_alive)
    window = np.array([0.0, horizon])
    rng = KeyedRandom(seed, "score future", list(table.index), draws)
    counts = np.minimum(forecast.purchase_counts(posterior, table, people.state, window, rng).total(), most)
    expected = expectations.expected_counts(posterior, table, people.p_alive, window, draws)[..., 0]
    columns = {
        "p_alive": known_p_alive(posterior, table, people.p_alive),
        "p_purchase": expectations.chance_of_any(posterior, table, people.p_alive, horizon),
        "expected_purchases": by_customer(np.minimum(expected, most)),
        **_quantiles("purchases", counts),
    }
    spend: Posterior[SpendModel] | None = posteriors.get("spend")
    if spend is not None:
        rows = individuals.rows_of(table, spend.model.conditions_on)
        theta = spend.theta(table, draws)
        amount = spend.model.expected_paid(rows, theta) * spend.model.expected_spend(rows, theta)
        columns["expected_spend"] = by_customer(amount) * amount_unit
    return columns


def _most_purchases(customers: Customers, horizon: float) -> float:
    """As many purchases as a horizon has days, which is the most that there can be: a purchase is a day with an order.
    Without end where a table of customers counts otherwise, or time is not continuous."""
    days = DAYS_PER_UNIT[customers.time_unit]
    table = customers.table
    counts_days = customers.time == "continuous" and bool((table["frequency"] <= np.ceil(table["T"] * days)).all())
    return float(np.ceil(horizon * days - ALMOST)) if counts_days else np.inf


def known_p_alive(posterior: Posterior[PurchaseModel], table: pd.DataFrame, p_alive: Array) -> Array:
    """The mean over draws of P(alive), and nan where it is 1 by the model's construction: there it tells nothing.

    p_alive: [D, C]; result [C]
    """
    model = posterior.model
    rows = individuals.rows_of(table, model.observes)
    can_have_left = np.broadcast_to(model.may_have_left(rows), (1, len(table)))[0]
    return np.where(can_have_left, by_customer(p_alive), np.nan)


def _value_columns(block: Block) -> dict[str, Array]:
    columns: dict[str, Array] = {}
    parts = discounted(block).values()
    for kind, name in VALUE_NAMES.items():
        values = sum(getattr(part, kind) for part in parts)
        columns[f"{name}_mean"] = by_customer(values)
        columns[f"{name}_sd"] = by_customer(values, _sd)
        columns |= _quantiles(name, values)
    return columns


def _quantiles(name: str, values: Array) -> dict[str, Array]:
    """Quantiles over draws. [D, C] -> [C] each"""
    columns = {}
    for level, quantile in zip(QUANTILES, np.quantile(values, LEVELS, axis=0), strict=True):
        columns[f"{name}_{level}"] = quantile
    return columns


def _sd(values: Array, axis: int) -> Array:
    return np.std(values, axis=axis, ddof=1)


def by_customer(values: Array, statistic=np.mean) -> Array:
    """A statistic over draws, added up in the same order whatever stands beside the customer. [D, C] -> [C]"""
    by_row = np.ascontiguousarray(np.asarray(values, dtype=float).T)
    return statistic(by_row, axis=1)
