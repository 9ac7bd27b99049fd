"""What all steps of a run share: what is to be done and where, and what was computed already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from clvmodels.config.experiment import Experiment
from clvmodels.errors import FitError
from clvmodels.inference.posterior import Posterior
from clvmodels.models import Model
from clvmodels.sources.calendars import SuppliedCalendar

Say = Callable[[str], None]
"""Takes a sentence that says what begins now."""


@dataclass
class Memory:
    """What a run has computed and would otherwise compute again for the next entry or date."""

    posteriors: dict[Path, Posterior] = field(default_factory=dict)
    """By the file that keeps them: entries that share a model share its fit."""
    failures: dict[Path, FitError] = field(default_factory=dict)
    """Fits that failed, by the file that would have kept them: no other entry tries them again."""
    loo_scores: dict[int, pd.DataFrame] = field(default_factory=dict)
    """Leave-one-out scores, by the identity of the posterior. `posteriors` holds on to it, so no identity comes
    again."""
    table_digests: dict[int, str] = field(default_factory=dict)
    """Sums of the customers' tables that fits are made of, by their identity; the run holds on to these."""
    chosen_k: dict[str, int] = field(default_factory=dict)
    """By entry, where k was to be chosen: once, at the calibration's end. Later dates take what was chosen then."""
    first_amounts: bool | None = None
    """Whether first amounts have a level of their own, where the data are to say it: once, as k is chosen."""
    calendar_models: dict[tuple[str, str, pd.Timestamp], Model] = field(default_factory=dict)
    """By model, calendar and day. Compiled functions belong to the object, so a second one would compile again."""


@dataclass(frozen=True)
class Context:
    """What all steps of a run share.

    Parameters
    ----------
    experiment
        What is to be done.
    folder
        The results folder, where posteriors are kept.
    scratch
        A folder for draws too large for memory, removed with the run.
    data_sha256
        Of all that was read: a posterior of other data is not this run's.
    say
        Takes a sentence that says what begins now.
    fresh
        Fit again even where the folder keeps a posterior.
    calendars
        By name, those that entries are on.
    memory
        What this run has computed already.
    """

    experiment: Experiment
    folder: Path
    scratch: Path
    data_sha256: str
    say: Say
    fresh: bool
    calendars: Mapping[str, SuppliedCalendar] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
