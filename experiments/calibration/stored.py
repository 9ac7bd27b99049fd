"""Rows of a study as they are stored: which count as of the code as it is, and whether that code replays them.

A study's rows bear the version of the code that computed them. They count as present where that is the version of the
code as it is, or where that code has been seen to replay them: some seeds, fixed below and never chosen by result, are
computed again, and every number has to be the stored one to the last stored digit. confirmed.csv beside the rows holds
what was confirmed, a row a study.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

REPLAYED = (1, 2, 3, 50, 100)
"""Seeds that a confirmation computes again, of those that are stored."""
COLUMNS = ["study", "computed_by", "confirmed_for", "seeds"]
KEYS = ("seed", "channel", "part", "quantity")
NOT_COMPARED = ("code", "seconds")

RowsOfSeed = Callable[[int], pd.DataFrame | list[dict[str, Any]]]
"""Computes one seed of a study; runs in a process of its own."""
Replay = Callable[[Sequence[int]], pd.DataFrame]
"""Computes these seeds of a study with the code as it is; rows as the study stores them."""


def present_versions(path: Path, code: str) -> set[str]:
    """Versions whose rows in `path` count as of the code as it is: its own, and those that it was seen to replay."""
    confirmed = _confirmed(path.parent)
    replayed = confirmed[(confirmed["study"] == path.stem) & (confirmed["confirmed_for"] == code)]
    return {code, *replayed["computed_by"]}


def present_rows(path: Path, code: str) -> pd.DataFrame:
    """The stored rows that count as of the code as it is; none where nothing is stored."""
    if not path.is_file():
        return pd.DataFrame()
    rows = pd.read_csv(path, keep_default_na=False)
    return rows[rows["code"].isin(present_versions(path, code))]


def write(rows: pd.DataFrame, path: Path, float_format: str | None = None) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".tmp")
    rows.to_csv(part, index=False, float_format=float_format)
    part.replace(path)


def confirm(path: Path, code: str, replay: Replay, float_format: str | None = None) -> list[str]:
    """See whether the code as it is replays the rows in `path`, and if so write it into confirmed.csv beside them.

    Rows of each version that is not present yet are replayed: the seeds of `REPLAYED` among them, or the first one.
    Nothing is written where a number differs in the last digit that is stored.

    Returns
    -------
    list of str
        What differs and by how much; empty where the rows are of this code, or it replays them.
    """
    stored = pd.read_csv(path, dtype=str, keep_default_na=False)
    present = present_versions(path, code)
    differing: list[str] = []
    confirmed = []
    for version, rows in stored.groupby("code"):
        if version in present:
            continue
        of_version = sorted(rows["seed"].astype(int).unique())
        seeds = [seed for seed in REPLAYED if seed in of_version] or of_version[:1]
        replayed = io.StringIO(replay(seeds).to_csv(index=False, float_format=float_format))
        again = pd.read_csv(replayed, dtype=str, keep_default_na=False)
        differing += differences(rows[rows["seed"].isin([str(seed) for seed in seeds])], again)
        confirmed.append((path.stem, version, code, " ".join(str(seed) for seed in seeds)))
    if confirmed and not differing:
        _add(path.parent, pd.DataFrame(confirmed, columns=COLUMNS))
    return differing


def differences(stored: pd.DataFrame, again: pd.DataFrame) -> list[str]:
    """What differs between rows as they are stored and the same rows computed again, all of them text."""
    keys = [name for name in KEYS if name in stored]
    before, after = _compared(stored, keys), _compared(again, keys)
    lacking = [f"{_named(key)}: stored, and not there now" for key in before.index.difference(after.index)]
    new = [f"{_named(key)}: not stored, and there now" for key in after.index.difference(before.index)]
    return [*lacking, *new, *_changed(before, after)]


def _changed(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    shared = before.index.intersection(after.index)
    changed = []
    for column in before.columns:
        for key in shared[before.loc[shared, column] != after.loc[shared, column]]:
            was, now = before.loc[key, column], after.loc[key, column]
            changed.append(f"{_named(key)}: {column} {was} stored, {now} now{_distance(was, now)}")
    return changed


def _compared(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """What has to agree, by its keys. A refusal's words are for people: whether there is one has to agree."""
    table = rows.drop(columns=[name for name in NOT_COMPARED if name in rows]).set_index(keys)
    if "refused" in table:
        table["refused"] = (table["refused"] != "").map({True: "yes", False: "no"})
    return table


def _named(key: object) -> str:
    parts = key if isinstance(key, tuple) else (key,)
    return f"seed {', '.join(str(part) for part in parts)}"


def _distance(was: str, now: str) -> str:
    try:
        return f", off by {abs(float(now) - float(was)):.3g}"
    except ValueError:
        return ""


def _confirmed(folder: Path) -> pd.DataFrame:
    path = folder / "confirmed.csv"
    return pd.read_csv(path, dtype=str) if path.is_file() else pd.DataFrame(columns=COLUMNS)


def _add(folder: Path, rows: pd.DataFrame) -> None:
    """Add to confirmed.csv; what the study was confirmed for before goes."""
    table = _confirmed(folder)
    valid = ~table["study"].isin(rows["study"]) | table["confirmed_for"].isin(rows["confirmed_for"])
    write(pd.concat([table[valid], rows]).sort_values(["study", "computed_by"]), folder / "confirmed.csv")


def confirmation_text(study: str, differing: list[str], most: int = 20) -> str:
    """What a confirmation found, for a terminal."""
    if not differing:
        return f"{study}: the stored rows are those of the code as it is"
    lines = [f"  {line}" for line in differing[:most]]
    more = [f"  and {len(differing) - most} more"] if len(differing) > most else []
    return "\n".join([f"{study}: {len(differing)} stored numbers are not those of the code as it is", *lines, *more])


# A study of the seeds 1 to n, a table of rows -------------------------------------------------------------------------


def missing_seeds(path: Path, code: str, seeds: int) -> list[int]:
    """Of the seeds 1 to `seeds` those that are not stored as of the code as it is."""
    rows = present_rows(path, code)
    there = set(rows["seed"]) if len(rows) else set()
    return [seed for seed in range(1, seeds + 1) if seed not in there]


def add_seeds(
    pool: Executor,
    rows_of: RowsOfSeed,
    seeds: Sequence[int],
    path: Path,
    code: str,
    said: Callable[[pd.DataFrame], str],
    float_format: str | None = None,
) -> pd.DataFrame:
    """Compute seeds and store the study's table after each, without rows of other code; it says of each what `said`
    makes of its rows."""
    table = present_rows(path, code)
    for records in pool.map(rows_of, seeds):
        rows = pd.DataFrame(records)
        table = pd.concat([table, rows.assign(code=code)], ignore_index=True)
        table = table.sort_values([key for key in KEYS if key in table], ignore_index=True)
        write(table, path, float_format)
        sys.stdout.write(f"seed {rows['seed'].iloc[0]}: {said(rows)}\n")
        sys.stdout.flush()
    return table


def confirmed_seeds(
    pool: Executor, rows_of: RowsOfSeed, path: Path, code: str, float_format: str | None = None
) -> bool:
    """Whether the code as it is replays the study's table; says what differs."""

    def replay(seeds: Sequence[int]) -> pd.DataFrame:
        return pd.concat([pd.DataFrame(records) for records in pool.map(rows_of, seeds)], ignore_index=True)

    differing = confirm(path, code, replay, float_format)
    sys.stdout.write(confirmation_text(path.stem, differing) + "\n")
    return not differing


def command(
    description: str | None,
    run: Callable[[Executor, int], pd.DataFrame],
    confirmed: Callable[[Executor], bool],
    tell: Callable[[pd.DataFrame], None],
) -> int:
    """The command line of such a study: runs the seeds that are missing and tells of all, or replays what is stored."""
    arguments = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    arguments.add_argument("--seeds", type=int, default=20)
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--confirm", action="store_true", help="see whether this code replays what is stored")
    options = arguments.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        if options.confirm:
            return 0 if confirmed(pool) else 1
        table = run(pool, options.seeds)
    tell(table)
    return 0
