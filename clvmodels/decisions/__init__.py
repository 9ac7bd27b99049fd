"""Decisions that follow from value draws. Each takes the joint draws and compares customers within a draw."""

from __future__ import annotations

from clvmodels.decisions.concentration import concentration, gini
from clvmodels.decisions.leaving import leaving
from clvmodels.decisions.losses import losses
from clvmodels.decisions.payback import payback
from clvmodels.decisions.rank import rank

__all__ = ["concentration", "gini", "leaving", "losses", "payback", "rank"]
