"""The posteriors that together tell what customers will bring, each of the kind of model that it must be; and whether
they may be used, where a sampling check of one has failed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from clvmodels.errors import ConfigError, FitError, Problem, unknown
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.samplers.checks import CHECK_NAMES
from clvmodels.models import Cost, PurchaseModel, SpendModel, in_order


@dataclass(frozen=True)
class Posteriors:
    """Of purchases, of spend, and of the costs by name, in the order of their registry."""

    purchases: Posterior[PurchaseModel]
    spend: Posterior[SpendModel]
    costs: Mapping[str, Posterior[Cost]]

    @classmethod
    def of(cls, posteriors: Posteriors | Mapping[str, Posterior]) -> Posteriors:
        """From a dict: "purchases", "spend", and of the costs those that there are, by name.

        Raises
        ------
        ConfigError
            No posterior of purchases or of spend, or one of a model that tells nothing of what it is given as.
        """
        if isinstance(posteriors, Posteriors):
            return posteriors
        problems = [
            Problem(f"no posterior of {name}", "posteriors")
            for name in ("purchases", "spend")
            if name not in posteriors
        ]
        problems += [
            Problem(f"{p.model.title} tells nothing of {name}", f"{name} posterior", ", ".join(p.model.provides))
            for name, p in posteriors.items()
            if name not in p.model.provides
        ]
        if problems:
            raise ConfigError(problems)
        by_name = cast(dict[str, Posterior[Any]], dict(posteriors))
        return cls(by_name.pop("purchases"), by_name.pop("spend"), in_order(by_name))

    def by_name(self) -> dict[str, Posterior]:
        return {"purchases": self.purchases, "spend": self.spend, **self.costs}


def allowed_failures(posteriors: Mapping[str, Posterior], allow_failed: Collection[str]) -> tuple[str, ...]:
    """Names of the sampling checks that failed, each of them allowed; what is made of these posteriors carries them.

    Raises
    ------
    FitError
        A posterior failed a check that is not allowed by its name: with every such check.
    ConfigError
        A name of `allow_failed` that no check has.
    """
    allowed = (allow_failed,) if isinstance(allow_failed, str) else tuple(allow_failed)
    strange = [name for name in allowed if name not in CHECK_NAMES]
    if strange:
        raise ConfigError([unknown("sampling check", name, CHECK_NAMES, "allow_failed") for name in strange])
    if problems := list(_failures(posteriors, allowed)):
        raise FitError(problems)
    failed = [check for posterior in posteriors.values() for check in posterior.failed_checks]
    return tuple(dict.fromkeys(failed))


def _failures(posteriors: Mapping[str, Posterior], allowed: Collection[str]) -> Iterator[Problem]:
    for role, posterior in posteriors.items():
        for check in posterior.checks:
            if check.passed or check.check in allowed:
                continue
            what = f"{check.check} of {posterior.model.title} is {check.found:.4g}, and its limit {check.limit:g}"
            remedy = f"{_way_out(posterior.method)}, or allow it by name: allow_failed: [{check.check}]"
            yield Problem(f"{what}: {check.consequence}", f"{role} posterior", known=remedy)


def _way_out(method: str) -> str:
    """What to try where a posterior found by this method cannot be trusted."""
    if method == "nuts":
        return "Fit with more draws and tune, with stronger priors or by a model with fewer parameters"
    return "Fit with more draws or method='nuts'"
