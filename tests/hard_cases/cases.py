"""Hard cases by construction: parameters over six decades and histories at the edges, some of each kind.

A kind is named after what is hard in it and says how the parameters and how the history are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

Values = dict[str, float]


class Kind(NamedTuple):
    """`parameters` is one of wide (log-uniform over six decades), ends (of the decades), near one, small (the first
    one 0.001 to 0.05, the others wide), ordinary."""

    name: str
    parameters: str
    history: Callable[[Generator], Values]


class Family(NamedTuple):
    """What a model's cases are made of. Money lies in 1e-2 to 1e4, every other parameter in 1e-3 to 1e3."""

    parameters: tuple[str, ...]
    history: tuple[str, ...]
    kinds: tuple[Kind, ...]
    times: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    above_one: tuple[str, ...] = ()
    k: tuple[int, ...] = ()


# Parameters -------------------------------------------------------------------------------------------------


def digits(value: float) -> float:
    """Four significant digits, so that the data can be read."""
    return float(f"{value:.4g}")


def excess(style: str, rng: Generator) -> float:
    """A parameter above its lower bound, around 1."""
    if style == "ends":
        return float(rng.choice([1e-3, 1e3]))
    if style == "near one":
        return 1.0 + float(rng.choice([0.0, 0.0, 1e-12, -1e-12, 1e-6, -1e-6, 1e-2, -1e-2]))
    if style == "ordinary":
        return digits(np.exp(0.7 * rng.normal()))
    return digits(10 ** rng.uniform(-3, 3))


def draw_parameters(family: Family, style: str, rng: Generator) -> Values:
    theta = {name: excess(style, rng) for name in family.parameters}
    if style == "small":
        theta[family.parameters[0]] = digits(10 ** rng.uniform(-3, np.log10(0.05)))
    if style == "near one":  # the shapes: nothing happens where a time or an amount is 1
        theta |= {name: excess("wide", rng) for name in (*family.times, *family.money)}
    theta |= {name: digits(10.0 * theta[name]) for name in family.money}
    return theta | {name: 1.0 + theta[name] for name in family.above_one}


# Histories --------------------------------------------------------------------------------------------------


def count(rng: Generator, low: float = 1, high: float = 5000) -> float:
    """A log-uniform whole number."""
    return float(round(10 ** rng.uniform(np.log10(low), np.log10(high))))


def age(rng: Generator, low: float = -6, high: float = 4) -> float:
    return digits(10 ** rng.uniform(low, high))


def share(rng: Generator) -> float:
    """t_x / T: anywhere, near 0, or near 1."""
    return float(rng.choice([rng.uniform(), 10 ** -rng.uniform(0, 6), 1 - 10 ** -rng.uniform(0, 9)]))


def bought(rng: Generator, x: float, T: float, at: float) -> Values:
    """x purchases in continuous time, the last at the share `at` of T but not before 1e-6; the gaps' logs add to
    x log(t_x / x) where they are equal and to less otherwise."""
    t_x = min(T, max(1e-6, at * T)) if x else 0.0
    gaps = x * (np.log(t_x / x) - (rng.uniform() if x > 1 else 0.0)) if x else 0.0
    return {"frequency": x, "recency": t_x, "T": T, "sum_log_gaps": float(gaps)}


def bought_ordinarily(rng: Generator) -> Values:
    return bought(rng, float(rng.poisson(3)), float(round(rng.uniform(1, 60), 1)), rng.uniform())


def bought_in_a_burst(rng: Generator) -> Values:
    return bought(rng, count(rng, 50), age(rng, 0), 10 ** rng.uniform(-4, -0.5))


CLOCK = (
    Kind("anywhere", "wide", lambda rng: bought(rng, count(rng), age(rng), share(rng))),
    Kind("t_x = T", "wide", lambda rng: bought(rng, count(rng), age(rng), 1.0)),
    Kind("x = 0", "wide", lambda rng: bought(rng, 0.0, age(rng), 0.0)),
    Kind("r + x < 0.05", "small", lambda rng: bought(rng, 0.0, age(rng), 0.0)),
    Kind("T = 1e-6", "wide", lambda rng: bought(rng, float(rng.choice([0, 1, 2, 50, 5000])), 1e-6, 1.0)),
    Kind("T = 1e4, x = 5000", "wide", lambda rng: bought(rng, 5e3, 1e4, rng.choice([1.0, 0.9999, 0.5, 1e-4, 1e-10]))),
    Kind(
        "silent after a burst",
        "wide",
        lambda rng: bought(rng, count(rng, 50), age(rng, 0), 10 ** rng.uniform(-4, -0.5)),
    ),
    Kind("parameters near 1", "near one", lambda rng: bought(rng, count(rng, 1, 50), age(rng, -1), share(rng))),
    Kind("ends of the decades", "ends", lambda rng: bought(rng, count(rng) - 1, age(rng), share(rng))),
    Kind("ordinary", "ordinary", bought_ordinarily),
)


def took(x: float, t_x: float, T: float) -> Values:
    """x purchases at whole-numbered opportunities, the last at t_x."""
    return {"frequency": x, "recency": t_x if x else 0.0, "T": T}


def took_somewhere(rng: Generator, low: float = 1, high: float = 10_000) -> Values:
    T = count(rng, low, high)
    t_x = count(rng, 1, T)
    return took(count(rng, 1, min(t_x, 5000)), t_x, T)


def took_to_the_end(rng: Generator) -> Values:
    x = count(rng)
    return took(x, T := x if rng.uniform() < 0.3 else count(rng, x, 10_000), T)


def took_a_burst(rng: Generator) -> Values:
    T = count(rng, 100, 10_000)
    x = count(rng, 5, T / 10)
    return took(x, x, T)


OPPORTUNITIES = (
    Kind("anywhere", "wide", took_somewhere),
    Kind("t_x = T", "wide", took_to_the_end),
    Kind("x = 0", "wide", lambda rng: took(0.0, 0.0, count(rng, 1, 10_000))),
    Kind("alpha + x < 0.05", "small", lambda rng: took(0.0, 0.0, count(rng, 1, 10_000))),
    Kind("one opportunity", "wide", lambda rng: took(x := float(rng.integers(0, 2)), x, 1.0)),
    Kind("T = 1e4, x = 5000", "wide", lambda rng: took(5e3, float(rng.choice([1e4, 9999, 7500, 5001, 5000])), 1e4)),
    Kind("silent after a burst", "wide", took_a_burst),
    Kind("parameters near 1", "near one", lambda rng: took_somewhere(rng, 1, 100)),
    Kind("ends of the decades", "ends", took_somewhere),
    Kind("ordinary", "ordinary", lambda rng: took_somewhere(rng, 5, 20)),
)


def renewed(x: float, T: float) -> Values:
    """x renewals of T possible ones: alive where x = T, ended at the next where x < T."""
    return {"frequency": x, "T": T}


def ended_somewhere(rng: Generator, high: float = 10_000) -> Values:
    T = count(rng, 1, high)
    return renewed(count(rng, 1, T) - 1, T)


RENEWALS = (
    Kind("anywhere", "wide", ended_somewhere),
    Kind("alive", "wide", lambda rng: renewed(T := count(rng, 1, 10_000), T)),
    Kind("ended at the first", "wide", lambda rng: renewed(0.0, count(rng, 1, 10_000))),
    Kind("alpha small", "small", ended_somewhere),
    Kind("T = 1", "wide", lambda rng: renewed(float(rng.integers(0, 2)), 1.0)),
    Kind("T = 1e4", "wide", lambda rng: renewed(float(rng.choice([5000, 9999, 10_000])), 1e4)),
    Kind("alive, parameters near 1", "near one", lambda rng: renewed(T := count(rng, 1, 10_000), T)),
    Kind("ended, parameters near 1", "near one", ended_somewhere),
    Kind("ends of the decades", "ends", ended_somewhere),
    Kind("ordinary", "ordinary", lambda rng: ended_somewhere(rng, 12)),
)


def paid(rng: Generator, n: float, middle: float, spread: float) -> Values:
    """n log-normal amounts, kept between 1e-2 and 1e6, as statistics."""
    amounts = np.clip(middle * np.exp(spread * rng.normal(size=int(n))), 1e-2, 1e6)
    logs = np.log(amounts)
    within = float(np.sum((logs - logs.mean()) ** 2)) if n > 1 else 0.0
    mean = float(amounts.mean()) if n else 0.0
    sums = {"amount_sum": float(amounts.sum()), "amount_log_sum": float(logs.sum()), "amount_log_ss": within}
    return {"amount_count": float(n), "frequency": float(n), "monetary_value": mean} | sums


def money(rng: Generator) -> float:
    return 10 ** rng.uniform(-2, 6)


def spread(rng: Generator) -> float:
    return float(rng.choice([0.0, 1e-6, 1e-3, 0.1, 0.5, 2.0]))


SPEND = (
    Kind("anywhere", "wide", lambda rng: paid(rng, count(rng), money(rng), spread(rng))),
    Kind("one amount", "wide", lambda rng: paid(rng, 1, money(rng), 0.0)),
    Kind("small", "small", lambda rng: paid(rng, count(rng, 1, 5), money(rng), spread(rng))),
    Kind("amounts of 1e-2", "wide", lambda rng: paid(rng, count(rng, 1, 100), 1e-2, spread(rng))),
    Kind("amounts of 1e6", "wide", lambda rng: paid(rng, count(rng, 1, 100), 1e6, spread(rng))),
    Kind("5000 amounts", "wide", lambda rng: paid(rng, 5000, money(rng), spread(rng))),
    Kind("all amounts equal", "wide", lambda rng: paid(rng, count(rng), money(rng), 0.0)),
    Kind("parameters near 1", "near one", lambda rng: paid(rng, count(rng, 1, 50), money(rng), spread(rng))),
    Kind("ends of the decades", "ends", lambda rng: paid(rng, count(rng), money(rng), spread(rng))),
    Kind("ordinary", "ordinary", lambda rng: paid(rng, count(rng, 1, 12), 30.0, 0.5)),
)


def clock_family(*parameters: str, k: tuple[int, ...] = ()) -> Family:
    history = ("frequency", "recency", "T", *(("sum_log_gaps",) if k else ()))
    return Family(
        parameters, history, CLOCK, times=tuple(name for name in parameters if name in ("alpha", "beta")), k=k
    )


def spend_family(history: str, *parameters: str, **bounds) -> Family:
    return Family(parameters, tuple(history.split()), SPEND, **bounds)


FAMILIES: dict[str, Family] = {
    "nbd": clock_family("r", "alpha"),
    "pareto_nbd": clock_family("r", "alpha", "s", "beta"),
    "gg_nbd": clock_family("r", "alpha", "b", "s", "beta"),
    "bg_nbd": clock_family("r", "alpha", "a", "b"),
    "mbg_nbd": clock_family("r", "alpha", "a", "b"),
    "bg_cnbd_k": clock_family("r", "alpha", "a", "b", k=(2, 3)),
    "mbg_cnbd_k": clock_family("r", "alpha", "a", "b", k=(2, 3)),
    "bb": Family(("alpha", "beta"), ("frequency", "recency", "T"), OPPORTUNITIES),
    "bg_bb": Family(("alpha", "beta", "gamma", "delta"), ("frequency", "recency", "T"), OPPORTUNITIES),
    "sbg": Family(("alpha", "beta"), ("frequency", "T"), RENEWALS),
    "bdw": Family(("alpha", "beta", "c"), ("frequency", "T"), RENEWALS),
    "gamma_gamma": spend_family(
        "amount_count amount_sum amount_log_sum", "p", "q", "v", above_one=("q",), money=("v",)
    ),
    "gamma_gamma_mean": spend_family("frequency monetary_value", "p", "q", "v", above_one=("q",), money=("v",)),
    "lognormal_spend": spend_family("amount_count amount_log_sum amount_log_ss", "m", "tau", "sigma", money=("m",)),
}


def draw_cases(model: str, each: int, seed: int) -> Iterator[tuple[str, Values, Values]]:
    """`each` cases of every kind: the kind, the parameters, the history (with k where the model has one)."""
    family, rng = FAMILIES[model], np.random.default_rng([seed, *model.encode()])
    seen: list[Values] = []
    for kind in family.kinds:
        while len(seen) < each * (1 + family.kinds.index(kind)):
            theta = draw_parameters(family, kind.parameters, rng)
            drawn = kind.history(rng)
            history = {name: float(drawn[name]) for name in family.history}
            history = ({"k": family.k[len(seen) % len(family.k)]} if family.k else {}) | history
            if theta | history not in seen:  # the ends of two parameters make four pairs only
                seen.append(theta | history)
                yield kind.name, theta, history
