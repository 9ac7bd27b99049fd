"""One density with several effects: by hand, in other coordinates, with other data, in another order; what is kept."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

import numpy as np
import pytest
from contracts.cases import CASES, customers_of
from contracts.effect_cases import base
from contracts.purchase import close
from fakes.effects import BG, CHANNELS, SEVERAL, of_draws, on, rows_of
from scipy import special, stats

from clvmodels.inference import density
from clvmodels.inference.density import Density, compiled_density
from clvmodels.inference.effects import COEFFICIENT_PRIOR, Effect
from clvmodels.inference.fitting import fit
from clvmodels.inference.refusals import resolve_priors
from clvmodels.inference.samplers import nuts
from clvmodels.inference.terms import learn
from clvmodels.inference.unique_rows import condense
from clvmodels.models.evaluate import log_prob
from clvmodels.models.prior import Prior


@pytest.fixture(scope="module")
def several():
    """BG/NBD with several effects at once: its density at some point, and the posterior of that one draw."""
    rng = np.random.default_rng(5)
    table = base(BG, 40).assign(age=rng.normal(40.0, 9.0, 40), business=np.arange(40) % 3 == 0)
    groups, scales = learn(SEVERAL, table)
    priors = resolve_priors(BG.model, None)
    structure = Density(BG.model, SEVERAL, groups, priors, "week", 1.0)
    structure.set_data(condense(table, BG.model.observes, SEVERAL), table, scales)
    return table, structure, groups, scales


def test_the_density_is_that_of_parameters_moved_by_hand(several):
    table, structure, groups, scales = several
    rng = np.random.default_rng(3)
    u = rng.normal(0, 0.4, structure.target.size)
    centring = np.array([0.0, 0.3, 1.0])
    structure.centre(structure.terms[0], centring)
    found, _ = structure.target.value_and_grad(u)
    free, log_sd, z = u[:4], u[4], u[5:8]
    b_r, b_tied, b_mean = u[8:10], u[10:12], u[12:]
    r, alpha, a, b = np.exp(free)
    standard = {name: (table[name] - scales[name].mean) / scales[name].sd for name in ("score", "business", "age")}
    gap = table["score"].isna().to_numpy()
    score = np.where(gap, 0.0, standard["score"])
    c = z * np.exp((1 - centring) * log_sd)
    r_i = r * np.exp(b_r[0] * score + b_r[1] * gap)
    alpha_i = alpha * np.exp(-c[table["channel"].map({name: k for k, name in enumerate(CHANNELS)})])
    tied = np.exp(b_tied[0] * standard["business"] + b_tied[1] * standard["age"]).to_numpy()
    odds = np.log(a * tied / (b * tied)) + b_mean[0] * score
    total = (a + b) * tied
    theta = {"r": r_i, "alpha": alpha_i, "a": total * special.expit(odds), "b": total * special.expit(-odds)}
    each = log_prob(BG.model, rows_of(BG.model, table), {name: np.asarray(v)[None] for name, v in theta.items()})
    log_prior = sum(
        stats.norm.logpdf(free[k], p.prior.args["mu"], p.prior.args["sigma"]) for k, p in enumerate(BG.model.parameters)
    )
    log_prior += stats.halfnorm.logpdf(np.exp(log_sd), scale=0.5) + log_sd
    log_prior += stats.norm.logpdf(z, 0, np.exp(centring * log_sd)).sum() + stats.norm.logpdf(u[8:]).sum()
    assert found == pytest.approx(each.sum() + log_prior, abs=1e-7)  # PyMC's priors hold constants in single precision
    posterior = of_draws(BG.model, structure.constrain(u[None]), SEVERAL, groups, scales)
    for name, values in posterior.theta(table).items():
        close(values[0], theta[name], 1e-12)


def test_how_centred_changes_the_coordinates_only(several):
    _, structure, _, _ = several
    u = np.random.default_rng(4).normal(0, 0.3, structure.target.size)
    block = structure.slices["alpha_by_channel"]
    place, own = block.start, np.arange(block.start + 1, block.stop)
    values = []
    for centring in (np.ones(3), np.array([0.2, 0.0, 0.9])):
        structure.centre(structure.terms[0], centring)
        at = u.copy()
        at[own] = u[own] * np.exp((centring - 1) * u[place])
        log_jacobian = ((1 - centring) * u[place]).sum()
        values.append(structure.target.value_and_grad(at)[0] - log_jacobian)
        close(structure.constrain(at)["alpha_by_channel"], u[own], 1e-12)
    close(values[0], values[1], 1e-12)


def test_with_new_data_coefficients_are_centred_again(several):
    """Importance sampling along the sd and the whitening of NUTS take the coordinates for the coefficients."""
    table, structure, _, scales = several
    structure.centre(structure.terms[0], np.zeros(3))
    structure.set_data(condense(table, BG.model.observes, SEVERAL), table, scales)
    u = np.random.default_rng(4).normal(0, 0.3, structure.target.size)
    close(structure.constrain(u)["alpha_by_channel"], u[structure.slices["alpha_by_channel"]][1:], 1e-12)


def test_the_order_of_customers_changes_nothing(several):
    table, structure, _, _ = several
    u = np.random.default_rng(4).normal(0, 0.3, structure.target.size)
    values = []
    for shuffled in (table, table.sample(frac=1.0, random_state=1)):
        _, scales = learn(SEVERAL, shuffled)
        structure.set_data(condense(shuffled, BG.model.observes, SEVERAL), shuffled, scales)
        values.append(structure.target.value_and_grad(u)[0])
    assert values[0] == values[1]


def test_coefficient_priors_are_of_one_standard_deviation():
    assert COEFFICIENT_PRIOR.to_mapping()["dist"] == "Normal"
    wide = dataclasses.replace(on("nps"), coefficient_prior=Prior("Normal", {"mu": 0.0, "sigma": 3.0}))
    table = base(BG).assign(nps=lambda t: t["score"].fillna(6.0))
    values = []
    for effect in (on("nps"), wide):
        structure = Density(BG.model, [effect], {}, resolve_priors(BG.model, None), "week", 1.0)
        block = structure.terms[0]
        values.append(block.log_prior(np.array([2.0]), None).eval())
    close(values, stats.norm.logpdf(2.0, 0, [1.0, 3.0]), 1e-7)  # PyMC's priors hold constants in single precision
    assert len(table) == 50


# ---------------------------------------------------------------------------------------------- what is kept


def plain(unit: str) -> Density:
    return compiled_density(BG.model, (), {}, resolve_priors(BG.model, None), unit, 1.0)


def test_the_structure_not_used_for_longest_is_let_go_first(monkeypatch):
    monkeypatch.setattr(density, "_COMPILED", OrderedDict())
    monkeypatch.setattr(density, "COMPILED_STRUCTURES", 2)
    week, day = plain("week"), plain("day")
    assert plain("week") is week
    month = plain("month")
    assert plain("week") is week and plain("month") is month and plain("day") is not day
    assert len(density._COMPILED) == 2


def test_a_fit_leaves_no_customers_behind():
    """Neither in the density nor in what the sampler compiled, which are kept for the next customers."""
    case = CASES["nbd"]
    table = base(case, 40)
    effects = [on("score", missing="mean"), Effect("purchases", ("r",), "channel")]
    posterior = fit(case.model, customers_of(table), effects=effects, method="nuts", draws=20, tune=50, chains=1)
    groups, priors = posterior.groups, posterior.priors
    structure = compiled_density(case.model, effects, groups, priors, "week", 1.0)
    shared = (*structure._rows.values(), structure._weights, *structure._designs.values())
    assert len(shared) == len(case.model.observes) + 3
    assert all(len(variable.get_value()) == 1 for variable in shared)
    compiled = nuts._COMPILED[structure.target].model.shared_data
    assert len(table) > structure.target.size >= max(len(array) for array in compiled.values())
