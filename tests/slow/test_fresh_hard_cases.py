"""Fresh hard cases of every model from a seed that nobody chose, and the truths by a second way."""

from __future__ import annotations

import secrets
from itertools import pairwise

import pandas as pd
import pytest
from hard_cases import truths
from hard_cases.cases import FAMILIES, draw_cases
from hard_cases.compare import compare, told
from hard_cases.generate import solved
from mpmath import exp, expm1, hyp2f1, log, loggamma, mpf, quad, workdps

from clvmodels.models import MODELS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", MODELS)
def test_fresh_hard_cases(name):
    seed = secrets.randbits(32)
    table = pd.DataFrame(solved(name, 3, seed))
    judged = compare(name, table)
    assert (judged["excess"] <= 1).all(), f"seed {seed}: {told(judged, table)}"


def fresh(model: str, each: int):
    """Fresh cases as mpmath numbers, with what to say of them when they fail."""
    seed = secrets.randbits(32)
    for case in draw_cases(model, each, seed):
        yield *({name: mpf(value) for name, value in part.items()} for part in case[1:]), (seed, case)


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_of_the_truths_are_those_of_central_differences(name):
    model, move = getattr(truths, name), mpf("1e-20")
    with workdps(80):
        for theta, history, case in fresh(name, 1):
            for k, parameter in enumerate(theta):
                lower = 1 if parameter in FAMILIES[name].above_one else 0
                moved = [lower + (theta[parameter] - lower) * exp(step) for step in (-move, move)]
                below, above = (model(*(theta | {parameter: value}).values(), **history)[0] for value in moved)
                slope, found = (above - below) / (2 * move), model(*theta.values(), **history)[1 + k]
                assert abs(found - slope) <= mpf("1e-25") * max(abs(slope), 1), (parameter, case)


def close(found, second, digits, case):
    assert abs(found - second) <= mpf(10) ** -digits * max(abs(second), mpf("1e-3")), (found, second, case)


def test_pareto_nbd_is_its_hypergeometric_form():
    """Fader & Hardie (2005), A Note on Deriving the Pareto/NBD Model and Related Expressions."""
    for theta, history, case in fresh("pareto_nbd", 4):
        with workdps(100):
            second = pareto_nbd_in_closed_form(*theta.values(), *history.values())
        with workdps(truths.DIGITS):
            close(truths.pareto_nbd(*theta.values(), **history)[0], second, 45, case)


def pareto_nbd_in_closed_form(r, alpha, s, beta, x, t_x, T):
    high, low, n = max(alpha, beta), min(alpha, beta), r + s + x
    second = s + 1 if alpha >= beta else r + x
    at = lambda t: hyp2f1(n, second, n + 1, (high - low) / (high + t)) / (high + t) ** n  # noqa: E731
    inside = (alpha + T) ** -(r + x) * (beta + T) ** -s + s / n * (at(t_x) - at(T))
    return loggamma(r + x) - loggamma(r) + r * log(alpha) + s * log(beta) + log(inside)


def test_gg_nbd_is_its_integral_by_plain_quadrature():
    for theta, history, case in fresh("gg_nbd", 2):
        with workdps(30):
            second = gg_nbd_by_plain_quadrature(*theta.values(), *history.values())
        with workdps(truths.DIGITS):
            close(truths.gg_nbd(*theta.values(), **history)[0], second, 20, case)


def gg_nbd_by_plain_quadrature(r, alpha, b, s, beta, x, t_x, T):
    """From t_x to T between points that crowd around t_x and around the hump of the lifetime's density."""
    hump = min(T, max(t_x, log(max(beta / s, 1)) / b))
    log_g = lambda t: loggamma(r + x) - loggamma(r) + r * log(alpha) - (r + x) * log(alpha + t)  # noqa: E731
    log_s = lambda t: s * (log(beta) - log(beta + expm1(b * t)))  # noqa: E731
    log_f = lambda t: log(s * b) + b * t + log_s(t) - log(beta + expm1(b * t))  # noqa: E731
    top = log_g(t_x) + log_f(hump)
    steps = [sign * (T - t_x) * mpf(2) ** -k for k in range(70) for sign in (1, -1)]
    between = {centre + step for centre in (t_x, hump, log(beta) / b) for step in steps}
    points = sorted({t_x, T} | {t for t in between if t_x < t < T})
    pieces = [
        quad(lambda t: exp(log_g(t) + log_f(t) - top), pair, method="gauss-legendre") for pair in pairwise(points)
    ]
    return top + log(exp(log_g(T) + log_s(T) - top) + sum(pieces))
