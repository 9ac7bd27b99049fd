"""Small bases with a group and covariates, and fits of them by their mode: what a fit starts from, in a second."""

from __future__ import annotations

from collections.abc import Sequence

import arviz as az
import numpy as np
import pandas as pd
from contracts.cases import Case, customers_of, simulated
from scipy import stats

from clvmodels.futures.individuals import rows_of
from clvmodels.inference.density import compiled_density
from clvmodels.inference.effects import Effect, targets
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.refusals import check_data, resolve_priors
from clvmodels.inference.samplers.mode import find_mode
from clvmodels.inference.target import Conditional
from clvmodels.inference.terms import learn
from clvmodels.inference.unique_rows import condense
from clvmodels.models.evaluate import log_prob, p_alive
from clvmodels.models.parameters import Parameter

CHANNELS = ("mail", "shop", "web")
DRAWS = 1000


def base(case: Case, size: int = 50, seed: int = 1) -> pd.DataFrame:
    """Histories of the case's truth; each with a channel, and a score and an age that some lack."""
    rng = np.random.default_rng([seed, 7])
    table = simulated(case, size, seed)
    for name, mean, sd in (("score", 6.0, 2.5), ("age", 40.0, 9.0)):
        table[name] = np.where(rng.uniform(size=size) < 0.2, np.nan, rng.normal(mean, sd, size))
    return table.assign(channel=rng.choice(CHANNELS, size))


def to_score(case: Case) -> pd.DataFrame:
    """The histories of contracts: most in channels that no fit has seen, every other one without score and age."""
    table = case.table()
    labels = ("never seen", "mail", "another new one")
    gaps = np.arange(len(table)) % 2 == 0
    return table.assign(
        channel=[labels[k % 3] for k in range(len(table))],
        score=np.where(gaps, np.nan, 7.5),
        age=np.where(gaps, np.nan, 30.0),
    )


def pooled(part: str, *names: str) -> tuple[Effect, ...]:
    """A partially pooled group on a parameter, a handle, or several parameters."""
    return (Effect(part, names, "channel"),)


def covariates(part: str, *names: str) -> tuple[Effect, ...]:
    """Two covariates that some customers lack: taken for average, or with a coefficient of its own."""
    return (
        Effect(part, names, covariates=("score",), missing="mean"),
        Effect(part, names, covariates=("age",), missing="indicator"),
    )


def at_mode(
    case: Case, effects: Sequence[Effect], table: pd.DataFrame, among: Sequence[Effect] | None = None
) -> Posterior:
    """A posterior that is its mode, given a between-group sd of 0.2, in every draw.

    `among` names more effects, which are compiled with these once for all and whose coefficients are held at 0.
    """
    customers, priors = customers_of(table), resolve_priors(case.model, None)
    among = effects if among is None else among
    check_data(case.model, customers, among)
    groups, scales = learn(among, table)
    structure = compiled_density(case.model, among, groups, priors, customers.time_unit, customers.amount_unit)
    structure.set_data(condense(table, case.model.observes, among), table, scales)
    target = structure.target
    own = [np.arange(target.size)[structure.slices[effect.name]] for effect in effects]
    free = np.setdiff1d(np.r_[: len(case.model.parameters), *own], structure.scale_coordinates())
    u = target.starts[0].copy()
    u[free] = find_mode(Conditional.of(target, u, free)).u
    tree = az.from_dict({"posterior": structure.constrain(np.tile(u, (1, DRAWS, 1)))})
    return Posterior(
        case.model,
        tree,
        "laplace",
        priors,
        tuple(effects),
        groups,
        customers.time_unit,
        customers.amount_unit,
        "USD",
        3,
        scales=scales,
    )


def check_scored(case: Case, posterior: Posterior) -> None:
    """Customers of unseen groups and without covariates are scored: all is finite, and moved by the right amount."""
    new = to_score(case)
    theta, rows = posterior.theta(new), rows_of(new, case.model.observes)
    assert all(np.isfinite(values).all() for values in theta.values())
    assert np.isfinite(log_prob(case.model, rows, theta)).all()
    if "purchases" in case.model.provides:
        alive = p_alive(case.model, rows, theta)
        assert ((alive >= 0) & (alive <= 1)).all()
    total = sum(_coefficients(posterior, term, new) for term in posterior.terms)
    name = posterior.effects[0].parameters[0]
    moved = targets(case.model)[name]
    if isinstance(moved, Parameter):
        expected = moved.moved(posterior.stacked(name)[:, None], total)
        np.testing.assert_allclose(theta[name], np.broadcast_to(expected, theta[name].shape), rtol=1e-12)
    else:
        still = {p.name: posterior.stacked(p.name)[:, None] for p in case.model.parameters}
        for own, expected in moved.move(still, total, np).items():
            np.testing.assert_allclose(theta[own], expected, rtol=1e-12)


def _coefficients(posterior: Posterior, term, new: pd.DataFrame) -> np.ndarray:
    """What the coefficient of each customer must be, by hand; of unseen groups, whether it is a fresh draw. [D, C]"""
    fitted = posterior.stacked(term.name)
    if term.effect.group is not None:
        found = term.per_customer(posterior.stacked, new, posterior.scales, posterior.seed)
        sd = posterior.stacked(f"{term.name}_sd")
        known, unseen = new["channel"] == "mail", new["channel"] != "mail"
        assert (found[:, known] == fitted[:, [list(term.labels).index("mail")]]).all()
        drawn = {label: found[:, (new["channel"] == label).to_numpy()] for label in new.loc[unseen, "channel"].unique()}
        for values in drawn.values():
            assert (values == values[:, :1]).all()  # one draw for all customers of a group
            assert stats.kstest(values[:, 0] / sd, stats.norm.cdf).pvalue > 1e-4
        first, second = (values[:, 0] for values in drawn.values())
        assert abs(np.corrcoef(first, second)[0, 1]) < 4.5 / np.sqrt(len(sd))
        return found
    (name,) = term.effect.covariates
    scale, raw = posterior.scales[name], new[name].to_numpy(dtype=float)
    gaps = np.isnan(raw)
    found = fitted[:, [0]] * np.where(gaps, 0.0, (raw - scale.mean) / scale.sd)
    return found + fitted[:, [1]] * gaps if term.effect.missing == "indicator" else found
