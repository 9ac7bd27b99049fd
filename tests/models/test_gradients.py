"""Finite everywhere, and the gradient right where it is delicate: t_x = T, x = 0, r + x near 0, no ended branch."""

from __future__ import annotations

import mpmath
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from contracts.cases import as_theta, case_of, row_arrays, table_of
from contracts.toys import TOYS

from clvmodels.models import MODELS, PurchaseModel
from clvmodels.models.evaluate import log_prob, p_alive
from clvmodels.randomness import KeyedRandom

CASES = {name: case_of(name) for name in MODELS} | TOYS
CONTINUOUS = [  # frequency, recency, T, monetary_value
    (0, 0.0, 0.0, 0.0),
    (0, 0.0, 39.0, 0.0),
    (1, 10.0, 10.0, 5.0),
    (3, 30.0, 30.0, 0.01),
    (12, 35.0, 39.0, 55.0),
    (40, 9.0, 10.0, 1e6),
    (2, 4.0, 520.0, 140.0),
]
DELICATE = {
    "continuous": CONTINUOUS,
    "opportunities": [
        (0, 0.0, 0.0, 0.0),
        (0, 0.0, 1.0, 0.0),
        (0, 0.0, 39.0, 0.0),
        (1, 10.0, 10.0, 5.0),
        (10, 10.0, 10.0, 5.0),
        (12, 35.0, 39.0, 55.0),
        (2, 4.0, 520.0, 140.0),
    ],
    "renewals": [
        (0, 0.0, 0.0, 0.0),
        (0, 0.0, 1.0, 0.0),
        (0, 0.0, 39.0, 0.0),
        (10, 10.0, 10.0, 5.0),
        (38, 38.0, 39.0, 55.0),
        (4, 4.0, 520.0, 140.0),
    ],
}
EXTREME = {
    "continuous": [
        *CONTINUOUS,
        (0, 0.0, 1e-6, 0.0),
        (1, 1e-6, 1e-6, 0.01),
        (0, 0.0, 3650.0, 0.0),
        (5000, 3649.0, 3650.0, 1e6),
        (5000, 10.0, 3650.0, 0.01),
        (1, 3650.0, 3650.0, 1e6),
    ],
    "opportunities": [
        *DELICATE["opportunities"],
        (0, 0.0, 3650.0, 0.0),
        (3649, 3649.0, 3650.0, 1e6),
        (10, 10.0, 3650.0, 0.01),
        (1, 3650.0, 3650.0, 1e6),
    ],
    "renewals": [
        *DELICATE["renewals"],
        (0, 0.0, 3650.0, 0.0),
        (3650, 3650.0, 3650.0, 1e6),
        (3649, 3649.0, 3650.0, 1e6),
    ],
}


def rows_of(histories) -> dict[str, np.ndarray]:
    return row_arrays(table_of({f"{k:03d}": history for k, history in enumerate(histories)}))


def thetas_of(case) -> list[dict[str, float]]:
    """The case's truths, and each parameter alone a hundred times smaller or larger."""
    lower = {p.name: p.lower for p in case.model.parameters}
    out = list(case.thetas)
    for name in lower:
        for factor in (0.01, 100.0):
            out.append(case.theta | {name: lower[name] + (case.theta[name] - lower[name]) * factor})
    return out


def gradient_function(case, part=None):
    """rows, theta [1, R] -> log density and its derivatives by the log of each parameter's excess. [K, R]"""
    model = case.model
    rows = {name: pt.matrix(name) for name in model.observes}
    logs = {p.name: pt.matrix(f"log_{p.name}") for p in model.parameters}
    theta = {p.name: p.lower + pt.exp(logs[p.name]) for p in model.parameters}
    value = model.log_prob(rows, theta) if part is None else part(model, rows, theta)
    grads = pt.grad(pt.sum(value), list(logs.values()), disconnected_inputs="ignore")
    compiled = pytensor.function(
        [*rows.values(), *logs.values()], [value, *grads], mode="NUMBA", on_unused_input="ignore"
    )

    def call(rows, theta):
        wide = [rows[name][None] for name in model.observes]
        wide += [np.full_like(wide[0], np.log(theta[p.name] - p.lower)) for p in model.parameters]
        value, *grads = compiled(*wide)
        return value[0], np.array([grad[0] for grad in grads])

    return call


@pytest.fixture(scope="module", params=list(CASES))
def graded(request):
    return CASES[request.param], gradient_function(CASES[request.param])


def slow_if(name, *slow):
    return pytest.param(name, marks=[pytest.mark.slow] if name in slow else [])


# Slow: bg_bb sums over 3,650 opportunities, and `bb` and `bdw` have its edges one by one; the toy is of the parts of
# the registry. Their gradients are those of finite differences in the default run too.
@pytest.mark.parametrize("graded", [slow_if(name, "bg_bb", "one hazard") for name in CASES], indirect=True)
def test_value_and_gradient_are_finite_at_the_edges(graded):
    case, call = graded
    for theta in thetas_of(case):
        value, grads = call(rows_of(EXTREME[case.model.time]), theta)
        assert np.isfinite(value).all() and np.isfinite(grads).all(), theta


def test_gradient_is_that_of_finite_differences(graded):
    case, call = graded
    rows, step = rows_of(DELICATE[case.model.time]), 1e-3
    for theta in thetas_of(case):
        grads = call(rows, theta)[1]
        for k, parameter in enumerate(case.model.parameters):
            at = {}
            for move in (-2, -1, 1, 2):
                excess = (theta[parameter.name] - parameter.lower) * np.exp(move * step)
                at[move] = call(rows, theta | {parameter.name: parameter.lower + excess})[0]
            slope = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * step)
            size = np.maximum(np.abs(slope), 1e-3 * np.maximum(np.abs(at[1]), 1.0))
            assert np.all(np.abs(grads[k] - slope) < 1e-6 * size), (theta, parameter.name, grads[k], slope)


def pareto_nbd_log_prob(x, t_x, T, r, alpha, s, beta):
    """25 digits: the integral over the death time by a quadrature of another kind."""
    g = lambda t: mpmath.gammaprod([r + x], [r]) * alpha**r / (alpha + t) ** (r + x)  # noqa: E731
    f = lambda t: s / (beta + t) * (beta / (beta + t)) ** s  # noqa: E731
    ended = mpmath.quad(lambda t: g(t) * f(t), mpmath.linspace(t_x, T, 4)) if t_x < T else 0
    return mpmath.log(g(T) * (beta / (beta + T)) ** s + ended)


def test_gradient_of_pareto_nbd_has_the_digits_of_an_exact_one():
    call = gradient_function(CASES["pareto_nbd"])
    theta = {"r": 0.03, "alpha": 10.0, "s": 0.6, "beta": 12.0}  # r + x < 0.05 in the first two rows
    histories = [(0, 0.0, 39.0, 0.0), (0, 0.0, 0.0, 0.0), (2, 4.0, 39.0, 0.0), (3, 30.0, 30.0, 0.0)]
    grads = call(rows_of(histories), theta)[1]
    mpmath.mp.dps = 25
    for k, name in enumerate(theta):
        for i, (x, t_x, T, _) in enumerate(histories):

            def moved(u, name=name, history=(x, t_x, T)):
                return pareto_nbd_log_prob(*history, **(theta | {name: theta[name] * mpmath.exp(u)}))

            exact = float(mpmath.diff(moved, 0, h=mpmath.mpf("1e-8")))
            assert abs(grads[k, i] - exact) <= 1e-9 * max(abs(exact), 1e-3), (name, histories[i])


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("nbd", EXTREME["continuous"]),
        ("pareto_nbd", [CONTINUOUS[0], CONTINUOUS[2]]),
        ("gg_nbd", [CONTINUOUS[0], CONTINUOUS[2]]),
        ("bg_nbd", CONTINUOUS[:2]),
        ("bb", EXTREME["opportunities"]),
        pytest.param(
            "bg_bb", [(0, 0.0, 0.0, 0.0), (3, 10.0, 10.0, 5.0)], marks=pytest.mark.slow
        ),  # sbg ends as it does
        ("sbg", [(0, 0.0, 0.0, 0.0), (10, 10.0, 10.0, 5.0)]),
        ("bdw", [(0, 0.0, 0.0, 0.0), (10, 10.0, 10.0, 5.0)]),
    ],
)
def test_an_impossible_end_has_gradient_zero(name, rows):
    call = gradient_function(CASES[name], lambda model, rows, theta: model.branches(rows, theta)[1])
    value, grads = call(rows_of(rows), CASES[name].theta)
    assert np.all(value == -np.inf) and np.array_equal(grads, np.zeros_like(grads))


@pytest.mark.parametrize("name", CASES)
def test_what_is_computed_from_a_history_is_finite_at_the_edges(name):
    case, extreme = CASES[name], EXTREME[CASES[name].model.time]
    labels = [f"c{k}" for k in range(len(extreme))]
    rows = {key: values[None] for key, values in rows_of(extreme).items()}
    rng = KeyedRandom(1, "edges", labels, 1)
    for theta in map(as_theta, thetas_of(case)):
        assert np.isfinite(log_prob(case.model, rows, theta)).all()
        if isinstance(case.model, PurchaseModel):
            alive = p_alive(case.model, rows, theta)
            expected = case.model.expected_if_alive(rows, theta, np.array([1e-6, 52.0, 520.0]))
            states = case.model.draw_alive(rows, theta, rng), case.model.draw_ended(rows, theta, rng)
            assert ((alive >= 0) & (alive <= 1)).all() and np.isfinite(expected).all() and (expected >= 0).all()
            assert (np.diff(expected, axis=-1) >= -1e-15 * expected[..., -1:]).all()
            for state in states:
                assert np.isfinite(state.purchase_rate).all() and (state.purchase_rate >= 0).all()
                assert not any(np.isnan(v).any() for v in (*state.extra.values(), state.residual_lifetime))
        else:
            spend, drawn = case.model.expected_spend(rows, theta), case.model.draw(rows, theta, rng)
            assert np.isfinite(spend).all() and (spend > 0).all()
            assert all(np.isfinite(v).all() and (v >= 0).all() for v in drawn.values())
