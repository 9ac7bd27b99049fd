"""The results of a run: what figures are computed from, and the folder it is stored in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from clvmodels.customers import Split
    from clvmodels.metrics import Judged
    from clvmodels.posterior import Posterior
    from clvmodels.value import Values


@dataclass(frozen=True)
class About:
    """What a run is, beside its tables; stored as run.json. Dates are ISO text, so that JSON holds all of it."""

    name: str
    title: str
    dataset: str
    customers: int
    transactions: int
    currency: str | None
    time_unit: str
    data_end: str
    calibration_end: str
    holdout_start: str | None
    holdout_end: str | None
    holdout: float | None
    value_at: str | None
    horizon: float | None
    margin: float | None
    annual_discount_rate: float | None
    top_share: float
    entries: dict[str, str]
    recommended: str
    seed: int
    draws: int
    public: bool
    made: str
    commit: str | None
    dirty: bool
    versions: dict[str, str]
    data_sha256: str
    config_sha256: str
    wall_seconds: float
    peak_memory_mib: float
    cores: int
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class EntryResult:
    """One entry of the experiment at one origin."""

    name: str
    label: str
    posteriors: dict[str, Posterior]
    judged: Judged | None = None
    values: Values | None = None
    ranking: pd.DataFrame | None = None


@dataclass(frozen=True)
class Run:
    """All that a run has computed; what figures' tables are made from."""

    about: About
    account: pd.DataFrame
    split: Split
    value_split: Split
    entries: dict[str, EntryResult]
    recommended: str
    valued: EntryResult
    comparison: pd.DataFrame | None
    checks: pd.DataFrame
    scores: pd.DataFrame
