"""NUTS by nutpie, on coordinates whitened by the mode's covariance; it ends within a bounded time, whatever happens."""

from __future__ import annotations

import atexit
import dataclasses
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.sharedvar import TensorSharedVariable

from clvmodels.errors import FitError, Problem
from clvmodels.inference.samplers.mode import Mode
from clvmodels.inference.target import Target

STATISTICS = {
    "diverging": "diverging",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "step_size": "step_size",
    "logp": "lp",
    "energy": "energy",
    "mean_tree_accept": "acceptance_rate",
}
"""nutpie's names of what is kept of each draw -> ArviZ's."""
POLL_SECONDS = 0.2
GRACE_SECONDS = 5.0
"""How long chains may take to end after they were told to, before they are left behind."""
EXIT_SECONDS = 30.0
"""How long the interpreter waits at its exit for chains left behind: one that still runs then crashes it."""
LINGER_SECONDS = 1.0
"""What the other chains are given to end after one has died."""
STARTS_PER_CHAIN = 2
"""Points from which a chain picks its own: some more than chains, so that seeds differ in where they start."""
TRIES_PER_START = 100
"""Where so many points around the starts are not finite, none will be."""

_LEFT_BEHIND: list[futures.Future] = []


@atexit.register
def _let_chains_end() -> None:
    """A chain ends with its trajectory, not before, and must not call compiled code that is gone."""
    futures.wait(_LEFT_BEHIND, timeout=EXIT_SECONDS)


@dataclass(frozen=True, eq=False)
class NutsDraws:
    """Draws of several chains.

    Parameters
    ----------
    u : [chain, draw, K]
        Unconstrained draws, without those of the warm-up.
    sample_stats
        Arrays [chain, draw] by ArviZ's names: diverging, n_steps, tree_depth, step_size, lp, energy, acceptance_rate.
    """

    u: np.ndarray
    sample_stats: Mapping[str, np.ndarray]


def nuts(
    target: Target,
    draws: int,
    chains: int,
    seed: int,
    *,
    tune: int = 1000,
    mode: Mode | None = None,
    timeout_seconds: float = 1800,
    target_accept: float = 0.9,
    progress: Callable[[int, int], None] | None = None,
) -> NutsDraws:
    """Draws from a target by the No-U-Turn sampler (Hoffman and Gelman 2014), through nutpie.

    With a mode, z in u = mode + L z is sampled, L L' the covariance at the mode, from points uniform in (-2, 2) of z.
    Without one, u itself, from `target.starts` with a jitter uniform in (-1, 1). A step to where the density is not
    finite is rejected as a divergence.

    Parameters
    ----------
    draws, chains, tune
        Draws kept of each chain, chains, and draws of the warm-up, not kept.
    mode
        Of `find_mode`, where the mode is a guide; None where it is not (pooled groups).
    timeout_seconds
        Sampling that takes longer ends in an error. Compilation is not counted.
    progress
        Called with (draws done, draws in all), warm-up and all chains together.

    Raises
    ------
    FitError
        No point to start from, an error in the log density, a sampler that died, or one that took too long.
    """
    compiled = _compile(target, mode)
    done = [0] * chains
    total = chains * (tune + draws)
    stop = threading.Event()
    settings = {"draws": draws, "tune": tune, "chains": chains, "seed": seed, "target_accept": target_accept}

    def sample() -> xr.DataTree:
        pool = _starting_points(target, mode, STARTS_PER_CHAIN * chains, seed, stop)
        return _sample(compiled, pool, settings, done, stop)

    def report() -> None:
        if progress:
            progress(sum(done), total)

    tree = _bounded(sample, stop, timeout_seconds, report, lambda: f"{sum(done)} of {total} draws were done")
    statistics = {name: tree["sample_stats"][theirs].to_numpy() for theirs, name in STATISTICS.items()}
    return NutsDraws(_unwhiten(tree["posterior"]["z"].to_numpy(), mode), statistics)


class _Compiled(NamedTuple):
    """nutpie's compiled density of z, and the shared variables that whiten it: u = centre + factor z."""

    model: Any
    centre: Any
    factor: Any


_COMPILED: weakref.WeakKeyDictionary[Target, _Compiled] = weakref.WeakKeyDictionary()
"""Gone with their targets."""


def _compile(target: Target, mode: Mode | None):
    """Compiled once a target; whitening, and the data that the target shares, are exchanged."""
    if target not in _COMPILED:
        _COMPILED[target] = _compiled(target)
    model, centre, factor = _COMPILED[target]
    centre.set_value(np.zeros(target.size) if mode is None else mode.u)
    factor.set_value(np.eye(target.size) if mode is None else np.linalg.cholesky(mode.covariance))
    return model.with_data(**{variable.name: variable.get_value() for variable in model.shared_var_keys})


def _compiled(target: Target) -> _Compiled:
    import nutpie  # takes two seconds, and most fits need no chains
    import pymc as pm

    centre = pytensor.shared(np.zeros(target.size), name="whitening centre")
    factor = pytensor.shared(np.eye(target.size), name="whitening factor")
    with pm.Model() as model:
        z = pm.Flat("z", shape=target.size)
        # A sum of products: a matrix product of the same size takes 8 seconds more to compile.
        log_density = target.graph(centre + pt.sum(factor * z, axis=1))
        pm.Potential("log_density", log_density)
    with _one_row_of_data(log_density):
        return _Compiled(nutpie.compile_pymc_model(model, backend="numba"), centre, factor)


@contextmanager
def _one_row_of_data(log_density: pt.TensorVariable) -> Iterator[None]:
    """Shared data are cut to one row meanwhile: nutpie compiles a copy in, which would stay as long as the code."""
    shared = [variable for variable in graph_inputs([log_density]) if isinstance(variable, TensorSharedVariable)]
    data = {variable: variable.get_value() for variable in shared if variable.type.shape[:1] == (None,)}
    for variable, value in data.items():
        variable.set_value(value[:1])
    try:
        yield
    finally:
        for variable, value in data.items():
            variable.set_value(value)


def _unwhiten(z: np.ndarray, mode: Mode | None) -> np.ndarray:
    if mode is None:
        return z
    return mode.u + z @ np.linalg.cholesky(mode.covariance).T


def _starting_points(target: Target, mode: Mode | None, count: int, seed: int, stop: threading.Event) -> np.ndarray:
    """Points [count, K] of finite density and gradient, in z.

    They are looked for here because a chain that finds none in nutpie leaves the others running, which may crash
    the interpreter at its exit.
    """
    rng = np.random.default_rng(seed)
    points: list[np.ndarray] = []
    tries = TRIES_PER_START * count
    for _ in range(tries):
        if mode is None:
            z = rng.choice(target.starts) + rng.uniform(-1, 1, target.size)
        else:
            z = rng.uniform(-2, 2, target.size)
        if stop.is_set():
            raise TimeoutError("no time was left to start the chains")
        value, grad = target.value_and_grad(_unwhiten(z, mode))
        if np.isfinite(value) and np.isfinite(grad).all():
            points.append(z)
        if len(points) == count:
            return np.array(points)
    what = "no point to start the chains from: the log density is not finite around the starts"
    raise FitError(Problem(what, got=f"{len(points)} finite of {tries} tried"))


def _pick(pool: np.ndarray, key: int) -> np.ndarray:
    return pool[np.random.default_rng(key).integers(len(pool))].copy()


def _sample(compiled, pool: np.ndarray, settings: dict, done: list[int], stop: threading.Event) -> xr.DataTree:
    """Start the chains from points of the pool and wait for them, or until told to stop."""
    import nutpie

    def note(states) -> None:
        done[:] = [state.finished_draws for state in states]

    started = dataclasses.replace(compiled, initial_point_func=lambda key: _pick(pool, key))
    sampler = nutpie.sample(
        started,
        **settings,
        blocking=False,
        progress_bar=False,
        save_warmup=False,
        progress_callback=note,
    )
    return _wait(sampler, stop)


def _wait(sampler, stop: threading.Event) -> xr.DataTree:
    while True:
        try:
            return sampler.wait(timeout=POLL_SECONDS)
        except TimeoutError:
            if stop.is_set():
                sampler.cancel()
                raise
        except Exception:
            # One chain died; the others end at their next draw, and must before the interpreter may.
            time.sleep(LINGER_SECONDS)
            raise


def _bounded(work: Callable, stop: threading.Event, seconds: float, report: Callable, so_far: Callable):
    """The result of `work`, or an error within `seconds` plus a grace.

    The work runs in a daemon thread: a chain caught inside one evaluation can be neither waited for nor cancelled.
    """
    future: futures.Future = futures.Future()
    threading.Thread(target=_deliver, args=(work, future), name="nuts", daemon=True).start()
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            futures.wait([future], timeout=min(POLL_SECONDS, max(deadline - time.monotonic(), 0)))
            report()
            if future.done():
                return future.result()
    finally:
        stop.set()
        if futures.wait([future], timeout=GRACE_SECONDS).not_done:
            _LEFT_BEHIND.append(future)
    advice = "Fewer draws, a longer timeout, or stronger priors"
    raise FitError(Problem(f"NUTS did not end within {seconds:g} seconds", got=so_far(), known=advice))


def _deliver(work: Callable, future: futures.Future) -> None:
    """Run the work and hand its result or its error over; nutpie's panics are not even `Exception`."""
    try:
        future.set_result(work())
    except FitError as error:
        future.set_exception(error)
    except BaseException as error:  # noqa: BLE001
        reason = str(error).split("Stack backtrace")[0]
        got = f"{type(error).__name__}: {' '.join(reason.split())}"
        failure = FitError(Problem("NUTS died", got=got, known="Look at the log density where the chains start"))
        failure.__cause__ = error
        future.set_exception(failure)
