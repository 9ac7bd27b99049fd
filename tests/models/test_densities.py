"""Kernels against the pages that they write out: value, P(alive) and derivatives, over hard histories; in any blocks,
on any number of threads; in graphs."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import mpmath
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hard_cases.cases import FAMILIES, draw_cases

from clvmodels.models import COSTS, MODELS, get_model
from clvmodels.models.compiled import compiled
from clvmodels.models.contract import PurchaseModel
from clvmodels.models.densities import evaluation, operation, opportunities
from clvmodels.models.evaluate import log_prob, p_alive
from clvmodels.models.parts import beta_ratio
from clvmodels.models.parts.poisson_gamma import PoissonGamma

WITHOUT = {"bb", "sbg", "bdw"}
NAMES = [name for name in MODELS if name not in WITHOUT]
VARIANTS = [(name, {}) for name in NAMES] + [
    (name, {"k": k}) for name in ("bg_cnbd_k", "mbg_cnbd_k") for k in (1, 3, 12)
]


def identity(variant) -> str:
    name, options = variant
    return " ".join([name, *map(str, options.values())])


def hard(model, each: int = 30, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Rows [R, O] and parameters [1, R, K] of hard cases of every kind."""
    cases = list(draw_cases(model.name, each, seed))
    rows = [[history[name] for name in model.observes] for _, _, history in cases]
    theta = [[values[parameter.name] for parameter in model.parameters] for _, values, _ in cases]
    return np.array(rows), np.array(theta)[None]


def by_page(model, rows, theta) -> np.ndarray:
    """What the kernel fills in, from the model's graph. [R, 2 + K]"""

    def graph(rows, theta):
        value = model.log_prob(rows, theta)
        alive = pt.ones_like(value)
        if isinstance(model, PurchaseModel):
            alive = pt.sigmoid(pt.sub(*model.branches(rows, theta)))
        return [value, alive, *pt.grad(pt.sum(value), list(theta.values()), disconnected_inputs="ignore")]

    names = tuple(parameter.name for parameter in model.parameters)
    function = compiled((model, "by page"), graph, model.observes, names)
    columns = {name: rows[None, :, k] for k, name in enumerate(model.observes)}
    parameters = {name: theta[..., k] for k, name in enumerate(names)}
    return np.stack([values[0] for values in function(columns, parameters)], axis=-1)


def test_models_that_are_fitted_to_many_customers_have_a_kernel():
    assert set(NAMES) == {name for name, model in MODELS.items() if model.kernel is not None}
    assert all(cost.kernel is None for cost in COSTS.values())


@pytest.mark.parametrize("variant", VARIANTS, ids=identity)
def test_a_kernel_is_its_page(variant):
    """To 1e-10 of the log density and 1e-8 of its derivatives by the free coordinates; where those are small, to what
    differences of log gammas leave of them in the graph."""
    name, options = variant
    model = get_model(name, options)
    rows, theta = hard(model)
    found = model.kernel.each(rows, theta, derivatives=True)[0]
    expected = by_page(model, rows, theta)
    excess = theta[0] - [parameter.lower for parameter in model.parameters]
    np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(found[:, 1], expected[:, 1], rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(found[:, 2:] * excess, expected[:, 2:] * excess, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("variant", VARIANTS, ids=identity)
def test_value_alone_is_that_beside_the_derivatives(variant):
    name, options = variant
    model = get_model(name, options)
    rows, theta = hard(model, 10)
    with_slopes = model.kernel.each(rows, theta, derivatives=True)
    np.testing.assert_allclose(model.kernel.each(rows, theta), with_slopes[..., :2], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_threads_and_the_order_of_rows_change_nothing(name, monkeypatch):
    model = MODELS[name]
    rows, theta = hard(model, 12)
    columns = {observed: rows[None, :, k] for k, observed in enumerate(model.observes)}
    draws = {parameter.name: theta[0, :40, [k]].T for k, parameter in enumerate(model.parameters)}
    at_once = log_prob(model, columns, draws)
    weights = np.arange(1.0, len(rows) + 1.0)
    monkeypatch.setattr(evaluation, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(evaluation, "NUMBERS_AT_ONCE", 50)
    on_one, on_three = [], []
    for cores, results in ((1, on_one), (3, on_three)):
        monkeypatch.setattr(evaluation, "cores", lambda cores=cores: cores)
        results.append(log_prob(model, columns, draws))
        results.append(model.kernel.totals(rows, weights, theta[0, :9]))
        results.extend(model.kernel.total_with_slopes(rows, weights, theta[0, 0]))
    for one, three in zip(on_one, on_three, strict=True):
        np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(on_one[0], at_once)
    np.testing.assert_allclose(on_one[1], at_once[:9] @ weights, rtol=1e-11)
    back = {observed: values[:, ::-1] for observed, values in columns.items()}
    np.testing.assert_array_equal(log_prob(model, back, draws)[:, ::-1], at_once)


@pytest.mark.parametrize("name", ["pareto_nbd", "mbg_nbd"])
def test_histories_and_parameters_broadcast_as_in_a_graph(name):
    """Parameters of a draw, of a customer, of both; one history for all, or another in each draw."""
    model = MODELS[name]
    graph = copy.copy(model)
    graph.kernel = None
    rng = np.random.default_rng(2)
    of_draws = {p.name: np.exp(rng.normal(size=(5, 1))) for p in model.parameters}
    of_both = of_draws | {"r": np.exp(rng.normal(size=(5, 3)))}
    x, T = rng.integers(0, 6, (5, 3)).astype(float), rng.uniform(5.0, 50.0, (5, 3))
    each_draw = {"frequency": x, "recency": T * (x > 0) * rng.uniform(size=(5, 3)), "T": T}
    one_a_customer = {key: values[:1] for key, values in each_draw.items()}
    one = {key: values[:1, :1] for key, values in each_draw.items()}
    for theta in (of_draws, of_both):
        for rows in (each_draw, one_a_customer, one):
            for ask in (log_prob, p_alive):
                found, expected = ask(model, rows, theta), ask(graph, rows, theta)
                assert found.shape == expected.shape
                np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["pareto_nbd", "bg_cnbd_k", "gamma_gamma"])
@pytest.mark.parametrize("per_row", [False, True], ids=["shared", "per row"])
@pytest.mark.parametrize("mode", ["NUMBA", "FAST_COMPILE"])
def test_in_a_graph_a_kernel_is_differentiated_as_the_page(name, per_row, mode):
    model = MODELS[name]
    rows, theta = hard(model, 4)
    columns = {observed: pt.constant(rows[:, k]) for k, observed in enumerate(model.observes)}
    u = pt.vector("u")

    def total(of_rows):
        moved = {p.name: theta[0, 0, k] * pt.exp(u[k]) for k, p in enumerate(model.parameters)}
        if per_row:
            moved["r" if "r" in moved else "p"] *= np.linspace(0.5, 2.0, len(rows))
        value = pt.sum(of_rows(columns, moved) * np.arange(len(rows)))
        return [value, pt.grad(value, u)]

    at = np.linspace(-0.1, 0.1, len(model.parameters))
    by_kernel = pytensor.function([u], total(lambda *of: operation.log_prob(model, *of)), mode=mode)(at)
    by_page = pytensor.function([u], total(model.log_prob), mode="NUMBA")(at)
    for found, expected in zip(by_kernel, by_page, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_class_that_says_its_density_anew_has_no_kernel_of_another():
    class Halved(type(MODELS["gamma_gamma"])):
        def log_prob(self, rows, theta):
            return super().log_prob(rows, theta) / 2.0

    rows, theta = hard(MODELS["gamma_gamma"], 2)
    columns = {observed: rows[None, :, k] for k, observed in enumerate(Halved.observes)}
    own = {parameter.name: theta[..., k] for k, parameter in enumerate(Halved.parameters)}
    whole = log_prob(MODELS["gamma_gamma"], columns, own)
    np.testing.assert_allclose(log_prob(Halved(), columns, own), whole / 2.0, rtol=1e-10)


def test_a_fault_in_a_page_or_a_kernel_shows_in_the_other(monkeypatch):
    """The page is the kernel's oracle, and the other way round."""
    original = PoissonGamma.log_density
    monkeypatch.setattr(PoissonGamma, "log_density", lambda self, *of: original(self, *of) * (1.0 + 1e-9))
    model = copy.copy(MODELS["pareto_nbd"])
    model.lifetime = copy.copy(model.lifetime)
    rows, theta = hard(model)
    found, expected = model.kernel.each(rows, theta)[0, :, 0], by_page(model, rows, theta)[:, 0]
    assert not np.allclose(found, expected, rtol=1e-10, atol=1e-11)


def test_every_model_with_a_kernel_has_hard_cases():
    assert set(NAMES) <= set(FAMILIES)


def test_a_loop_on_disk_changes_with_the_functions_that_it_calls():
    source = Path(beta_ratio.__file__).read_bytes()
    assert hashlib.sha256(source).hexdigest().startswith(opportunities.BETA_RATIO)


def _exact_bg_nbd(row, theta):
    """log p(history) of BG/NBD by fifty digits and more."""
    x, t_x, T = map(mpmath.mpf, row)
    r, alpha, a, b = map(mpmath.mpf, theta)
    fixed = mpmath.loggamma(r + x) - mpmath.loggamma(r) + r * mpmath.log(alpha)
    of_coins = mpmath.loggamma(a + b) - mpmath.loggamma(b) - mpmath.loggamma(a + b + x)
    alive = fixed - (r + x) * mpmath.log(alpha + T) + of_coins + mpmath.loggamma(b + x)
    if x == 0:
        return alive
    fell = mpmath.log(a) + mpmath.loggamma(b + x - 1)
    return mpmath.log(mpmath.exp(alive) + mpmath.exp(fixed - (r + x) * mpmath.log(alpha + t_x) + of_coins + fell))


@pytest.mark.parametrize(("r", "alpha"), [(0.3, 5.0), (3e7, 2e8), (1e13, 3e14)])
@pytest.mark.parametrize(("a", "b"), [(0.8, 2.5), (2e4, 5e3), (1e9, 4e10), (3e15, 1e16), (1e-6, 1e15)])
def test_parameters_that_are_huge_lose_no_digits(r, alpha, a, b):
    """Differences of log gammas would: a coefficient tied on a and b that runs far up made a base likelier by 61,756
    log units than it is."""
    rows = np.array([[0.0, 0.0, 39.0], [1.0, 3.0, 39.0], [7.0, 30.0, 38.0], [200.0, 38.5, 39.0]])
    theta = np.array([r, alpha, a, b])
    found = MODELS["bg_nbd"].kernel.each(rows, theta[None, None], derivatives=True)[0]
    with mpmath.workdps(60):
        for row, of_row in zip(rows, found, strict=True):
            exact = float(_exact_bg_nbd(row, theta))
            assert abs(of_row[0] - exact) < 1e-9 * max(1.0, abs(exact))
            for k in range(4):
                moved = [theta * np.exp(step * (np.arange(4) == k)) for step in (1e-4, -1e-4)]
                above, below = (_exact_bg_nbd(row, by_hand) for by_hand in moved)
                slope = float((above - below) / mpmath.mpf(2e-4))
                assert abs(theta[k] * of_row[2 + k] - slope) < 1e-6 * max(1.0, abs(slope))
