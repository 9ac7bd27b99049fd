"""The measured work of PyMC-Marketing and lifetimes, run by the Python of their own environment (see child.py)."""

from __future__ import annotations

from collections.abc import Mapping

import child

PYMC = ("pymc_marketing.clv", "pymc", "nutpie", "arviz_stats.base")
IMPORTS = {"map": PYMC, "mcmc": PYMC, "lifetimes": ("lifetimes",)}
CLASSES = {
    "bg_nbd": "BetaGeoModel",
    "gamma_gamma": "GammaGammaModel",
    "pareto_nbd": "ParetoNBDModel",
    "bg_bb": "BetaGeoBetaBinomModel",
}
FITTERS = {"bg_nbd": "BetaGeoFitter", "pareto_nbd": "ParetoNBDFitter", "gamma_gamma": "GammaGammaFitter"}
PARAMETERS = {
    "bg_nbd": ("r", "alpha", "a", "b"),
    "pareto_nbd": ("r", "alpha", "s", "beta"),
    "bg_bb": ("alpha", "beta", "gamma", "delta"),
}
"""Of the papers: those whose effective draws are counted."""


def at_mode(clock: child.Clock, model: str, table: str) -> dict:
    """The posterior's mode, PyMC-Marketing's priors: a point, no draws."""
    from pymc_marketing import clv

    customers = _customers(table, model)
    with clock:
        getattr(clv, CLASSES[model])().fit(customers, method="map")
    return {}


def mcmc(clock: child.Clock, model: str, table: str, draws: int, tune: int, chains: int) -> dict:
    """Chains of PyMC's default sampler; the clock has the compilation too, `ess_per_second` the sampling alone."""
    from arviz_stats.base import array_stats
    from pymc_marketing import clv

    customers = _customers(table, model)
    with clock:
        fitted = getattr(clv, CLASSES[model])().fit(
            customers, method="mcmc", draws=draws, tune=tune, chains=chains, random_seed=1
        )
    sampled = fitted["posterior"]
    bulk = {name: float(array_stats.ess(sampled[name].to_numpy())) for name in PARAMETERS[model]}
    sampling = float(sampled.attrs["sampling_time"])
    return {
        "ess": min(bulk.values()),
        "ess_per_second": min(bulk.values()) / sampling,
        "sampling_seconds": sampling,
        "sampler": sampled.attrs["inference_library"],
    }


def maximum(clock: child.Clock, model: str, table: str) -> dict:
    """The maximum of the likelihood by lifetimes."""
    import lifetimes

    customers = _customers(table, model)
    columns = ["frequency", "monetary_value"] if model == "gamma_gamma" else ["frequency", "recency", "T"]
    with clock:
        getattr(lifetimes, FITTERS[model])().fit(*(customers[column] for column in columns))
    return {}


def _customers(table: str, model: str):
    import pandas as pd

    frame = pd.read_parquet(table)
    return frame[frame["monetary_value"] > 0] if model == "gamma_gamma" else frame


TASKS: Mapping[str, child.Task] = {"map": at_mode, "mcmc": mcmc, "lifetimes": maximum}

if __name__ == "__main__":
    child.main(TASKS, IMPORTS)
