"""Stored measurements to the table that is read: every target, what was got, and by how much it was missed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from jobs import GROUPS, OURS, TARGETS, Target

DONE, STOPPED, FAILED = "done", "stopped", "failed"
"""How a measurement ended; one that was stopped has as its seconds those after which it was."""
SHORTENED_FROM = 1e4
"""Numbers are told in four digits, and from here on whole."""
NOT_MEASURED = "not measured"
TOLD = ("method", "refused", "importance_ess", "pareto_k", "ess", "sampling_seconds", "sampler", "rows", "customers")
"""Of what tasks tell, what stands beside their times."""

BOUNDS = Path(__file__).parent / "bounds.md"
"""Written by hand: of targets that are missed the profile, what was tried, what bounds them."""

type Version = Callable[[str], str]
"""The version of the code of a group as it is."""


class Verdict(NamedTuple):
    """A target and what was got: the ratio or the number, its lowest and highest repeat, and in words how good."""

    group: str
    target: str
    limit: str
    got: float
    lowest: float
    highest: float
    verdict: str


def verdicts(rows: pd.DataFrame, version: Version) -> list[Verdict]:
    """Every target of `TARGETS`, in their order."""
    return [_verdict(target, rows, version) for target in TARGETS]


def _verdict(target: Target, rows: pd.DataFrame, version: Version) -> Verdict:
    limit = f"{'at most' if target.at_most else 'at least'} {target.limit:.4g}"
    ours = _of(rows, target.group, target.of, OURS)
    theirs = _of(rows, target.group, target.other or target.of, target.against) if target.against else None
    measured = [ours] if theirs is None else [ours, theirs]
    words = _why_not(measured, target.column)
    nothing = float("nan")
    if words:
        return Verdict(target.group, target.text, limit, nothing, nothing, nothing, words)
    numbers = ours[target.column].astype(float) / target.per
    got = numbers.median()
    if theirs is not None:
        divisor = theirs[target.column].astype(float)
        got = got / divisor.median()
        numbers = numbers / divisor  # repeat by repeat: they took turns
    words = _words(target, got)
    if any((part["code"] != version(target.group)).any() for part in measured):
        words += ", by earlier code"
    return Verdict(target.group, target.text, limit, got, numbers.min(), numbers.max(), words)


def _of(rows: pd.DataFrame, group: str, name: str, who: str) -> pd.DataFrame:
    """The rows of a job, by repeat."""
    if rows.empty:
        return rows
    is_wanted = (rows["group"] == group) & (rows["name"] == name) & (rows["who"] == who)
    return rows[is_wanted].set_index("repeat").sort_index()


def _why_not(measured: Sequence[pd.DataFrame], column: str) -> str:
    """Why there is nothing to judge, if there is not."""
    if any(rows.empty or column not in rows for rows in measured):
        return NOT_MEASURED
    for rows in measured:
        ended = rows["status"] != DONE
        if ended.any():
            row = rows[ended].iloc[0]
            return f"missed: stopped after {row['seconds']:.0f} s" if row["status"] == STOPPED else "missed: failed"
    return ""


def _words(target: Target, got: float) -> str:
    is_met = got <= target.limit if target.at_most else got >= target.limit
    if is_met:
        return "met"
    factor = got / target.limit if target.at_most else target.limit / got
    return f"missed by a factor of {factor:.2g}"


def page(rows: pd.DataFrame, version: Version, about: Sequence[str]) -> str:
    """README.md: targets by group, what was timed beneath them, machine and versions."""
    table = verdicts(rows, version)
    met = sum(verdict.verdict.startswith("met") for verdict in table)
    lines = [
        "# Benchmarks",
        "",
        f"{met} of {len(table)} targets are met. Written by `make benchmark`; see experiments/benchmarks/run.py.",
        "",
        "Medians over repeats, each in a process of its own on warm caches, without its imports; in brackets the",
        "lowest and the highest. What is compared took turns on one machine. A ratio is ours over theirs.",
        "",
        *(f"- {line}" for line in about),
    ]
    for group in GROUPS:
        lines += ["", f"## {group}", "", *_target_lines([v for v in table if v.group == group])]
        timed = rows[rows["group"] == group] if len(rows) else rows
        if len(timed):
            lines += ["", *_timed_lines(timed)]
    return "\n".join([*lines, "", BOUNDS.read_text("utf-8")])


def _target_lines(table: Sequence[Verdict]) -> list[str]:
    lines = ["| target | limit | got | |", "|---|---|---|---|"]
    for verdict in table:
        got = "" if pd.isna(verdict.got) else _spread(verdict.got, verdict.lowest, verdict.highest)
        lines.append(f"| {verdict.target} | {verdict.limit} | {got} | {verdict.verdict} |")
    return lines


def _timed_lines(rows: pd.DataFrame) -> list[str]:
    lines = ["| timed | by | seconds | CPU seconds | imports, s | peak MiB | repeats | |", "|---" * 8 + "|"]
    for (name, who), of_job in rows.groupby(["name", "who"], sort=False):
        done = of_job[of_job["status"] == DONE]
        if done.empty:
            lines.append(f"| {name} | {who} | | | | | | {of_job['status'].iloc[0]} |")
            continue
        seconds = _spread(done["seconds"].median(), done["seconds"].min(), done["seconds"].max())
        medians = [f"{done[column].median():.3g}" for column in ("cpu_seconds", "import_seconds")]
        cells = [name, who, seconds, *medians, f"{done['peak_mib'].max():.0f}", str(len(done)), _told(done)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _told(rows: pd.DataFrame) -> str:
    """What the middle repeat told of itself."""
    middle = rows.sort_values("seconds").iloc[len(rows) // 2]
    present = [name for name in TOLD if name in rows and pd.notna(middle[name])]
    return ", ".join(f"{name} {_short(middle[name])}" for name in present)


def _short(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value >= SHORTENED_FROM else f"{value:.4g}"


def _spread(middle: float, lowest: float, highest: float) -> str:
    return f"{middle:.3g} ({lowest:.3g} to {highest:.3g})"
