"""Rows of a study as they are stored: which count as of the code as it is, and whether that code replays them.

A study's rows bear the version of the code that computed them. They count as present where that is the version of the
code as it is, or where that code has been seen to replay them: some seeds, fixed below and never chosen by result, are
computed again, and every number has to be the stored one to the last stored digit. confirmed.csv beside the rows holds
what was confirmed, a row a study.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

REPLAYED = (1, 2, 3, 50, 100)
"""Seeds that a confirmation computes again, of those that are stored."""
COLUMNS = ["study", "computed_by", "confirmed_for", "seeds"]
KEYS = ("seed", "channel", "part", "quantity")
NOT_COMPARED = ("code", "seconds")

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
