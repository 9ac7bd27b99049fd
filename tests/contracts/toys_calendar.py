"""Models of the registry on a supplied calendar, and the stories that their contracts are held against."""

from __future__ import annotations

import numpy as np
from contracts import stories
from contracts.cases import Case
from scipy import special

from clvmodels.models import MODELS

BIRTH, PATTERN = 20.0, 1
BOUNDS = np.array([18.0, 20.5, 21.25, 23.0, 30.0, 37.0, 38.5, 52.0, 58.9, 60.0, 61.0, 66.0, 80.0, 200.0])
INDEX = np.array([0.5, 1.0, 2.5, 0.7, 1.0, 3.0, 0.4, 1.3, 0.9, 2.0, 1.0, 0.6, 1.1])
Z = np.array([[0, 1, 0, 0, 0.5, 0, 1, 0, 0, 0, 1, 0, 0], [1, 0, 0, 2, 0, 0, 1, 0, 0, 1, 0, 0.3, 0]], dtype=float)
MEAN = 1.2
SUPPLIED = {
    "name": "weeks",
    "bounds": BOUNDS.tolist(),
    "log_index": np.log(INDEX).tolist(),
    "log_mean": float(np.log(MEAN)),
    "covariates": ["sale"],
    "values": Z[..., None].tolist(),
    "until": "2030-01-01",
}


class OnWeeks:
    """Purchases at the rate lambda m, m constant within each step; a fixed coefficient of the covariate."""

    def individual(self, theta):
        self.g = theta["calendar_sale"]
        self.factor = INDEX / MEAN * np.exp(self.g * Z[PATTERN])
        return super().individual(theta)

    def lengths(self, row, start, end):
        """What of each step lies between two ages."""
        return np.diff(np.clip(BOUNDS, row["birth"] + start, row["birth"] + end))

    def operational(self, row, start, end):
        return float((self.lengths(row, start, end) * self.factor).sum())

    def log_product(self, row):
        index = row["weeks.log_index"] - row["frequency"] * np.log(MEAN)
        return index + self.g * row["weeks.sale"]

    def jumps(self, age):
        return [bound - BIRTH for bound in BOUNDS if 0 < bound - BIRTH < age]

    def log_earlier(self, table):
        """The other purchases lie anywhere as the factor has them, the last one too; each history stands at factor 1,
        as its columns say."""
        rows = table.to_dict("records")
        x, t_x = (table[name].to_numpy(dtype=float) for name in ("frequency", "recency"))
        last = self.factor[np.searchsorted(BOUNDS, BIRTH + t_x) - 1]
        inner = (x - 1) * np.log([self.operational(row, 0.0, row["recency"]) for row in rows]) - special.gammaln(x)
        return inner + np.log(last) - np.array([self.log_product(row) for row in rows])


class ParetoNBDOnWeeks(OnWeeks, stories.ParetoNBD):
    step, tail = 0.12, 1e-13

    def alive(self, row, own):
        lam, mu, T = own["purchase_rate"], own["dropout_rate"], row["T"]
        return row["frequency"] * np.log(lam) + self.log_product(row) - lam * self.operational(row, 0.0, T) - mu * T

    def lasting(self, row, own, start, end):
        """Integral over the age u in (start, end) of weight(u) exp(-lambda A(start, u) - mu (u - start)), for the
        weights 1 and m(u): exact, step by step."""
        lam, mu = own["purchase_rate"], own["dropout_rate"]
        passed, total, weighted = 0.0, 0.0, 0.0
        for length, factor in zip(self.lengths(row, start, end), self.factor, strict=True):
            rate = lam * factor + mu
            here = np.exp(-passed) * -np.expm1(-rate * length) / rate
            total, weighted, passed = total + here, weighted + factor * here, passed + rate * length
        return total, weighted

    def ended(self, row, own):
        lam, mu, t_x = own["purchase_rate"], own["dropout_rate"], row["recency"]
        before = lam * self.operational(row, 0.0, t_x) + mu * t_x
        with np.errstate(divide="ignore"):
            died = np.log(mu) + np.log(self.lasting(row, own, t_x, row["T"])[0])
        return row["frequency"] * np.log(lam) + self.log_product(row) - before + died

    def expected_after(self, row, own, t):
        still = {"purchase_rate": 0.0, "dropout_rate": own["dropout_rate"]}
        return own["purchase_rate"] * self.lasting(row, still, row["T"], row["T"] + t)[1]


class BGNBDOnWeeks(OnWeeks, stories.BGNBD):
    def alive(self, row, own):
        on_weeks = dict(row, T=self.operational(row, 0.0, row["T"]))
        return super().alive(on_weeks, own) + self.log_product(row)

    def ended(self, row, own):
        on_weeks = dict(row, recency=self.operational(row, 0.0, row["recency"]))
        return super().ended(on_weeks, own) + self.log_product(row)

    def expected_after(self, row, own, t):
        return self.expected(own, self.operational(row, row["T"], row["T"] + t))


COLUMNS = {
    "birth": lambda table: BIRTH,
    "weeks.pattern": lambda table: float(PATTERN),
    "weeks.log_index": lambda table: 0.1 * table["frequency"],
    "weeks.sale": lambda table: 0.3 * table["frequency"],
}
CALENDAR_CASES = {
    "pareto_nbd on weeks": Case(
        MODELS["pareto_nbd"].given(calendar=SUPPLIED),
        ParetoNBDOnWeeks(),
        (
            {"r": 0.55, "alpha": 10.6, "s": 0.6, "beta": 11.7, "calendar_sale": 0.8},
            {"r": 2.5, "alpha": 4.0, "s": 1.7, "beta": 30.0, "calendar_sale": -0.5},
        ),
        COLUMNS,
    ),
    "bg_nbd on weeks": Case(
        MODELS["bg_nbd"].given(calendar=SUPPLIED),
        BGNBDOnWeeks(),
        (
            {"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4, "calendar_sale": 0.8},
            {"r": 2.5, "alpha": 4.0, "a": 1.7, "b": 1.0, "calendar_sale": -0.5},
        ),
        COLUMNS,
    ),
}
