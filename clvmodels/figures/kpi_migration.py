"""Where customers of each group of value were a period later: shares in cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clvmodels import words
from clvmodels.figures import style
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

NEW, SILENT = "new", "silent"
COLUMNS = ["label", "group", "from_place", "to_place", "customers", "share", "from_period", "to_period"]
CELL = 32


def table(run: Run) -> pd.DataFrame | None:
    """The last two whole periods, by profit: the customers of each group and where they were next."""
    if run.kpis is None or run.kpis.migration.empty:
        return None
    migration = run.kpis.migration
    migration = migration[(migration["of"] == "profit") & migration["whole"].astype(bool)]
    if migration.empty:
        return None
    last = migration[migration["to_period"] == migration["to_period"].max()]
    return last.rename(columns={"from_group": "label", "to_group": "group"})[COLUMNS].reset_index(drop=True)


def _groups(table: pd.DataFrame) -> list[str]:
    """Groups by value, the best first."""
    places = [0]
    for name, place in (("label", "from_place"), ("group", "to_place")):
        places += list(table.loc[~table[name].isin([NEW, SILENT]), place])
    return [str(place) for place in range(1, max(places) + 1)]


def _long(name: str, groups: list[str]) -> str:
    long_names = {NEW: "new", SILENT: "did not buy"}
    if len(groups) > 1:
        long_names |= {groups[0]: "1, best", groups[-1]: f"{groups[-1]}, least"}
    return long_names.get(name, name)


def heading(table: pd.DataFrame, about: About) -> str:
    return "Where the valuable customers went"


def _share(table: pd.DataFrame, before: str, now: str) -> float:
    rows = rows_of(table, label=before, group=now)
    return float(rows["share"].sum())


def describe(table: pd.DataFrame, about: About) -> Words:
    groups = _groups(table)
    before, now = (words.group(table[side].iloc[0]) for side in ("from_period", "to_period"))
    sub = (
        f"Rows: customers in {before}, those who bought in {len(groups)} groups of one size by profit; columns: the "
        f"same customers in {now}. Percent of the row; stronger blue: more."
    )
    size = int(rows_of(table, label=groups[0])["customers"].sum()) if groups else 0
    said = []
    if size:
        stay, gone = (_share(table, groups[0], to) for to in (groups[0], SILENT))
        said.append(
            f"Of the {words.count(size)} best customers of {before}, **{words.share(stay, 1)} were there again** "
            f"in {now}; {words.share(gone, 1)} did not buy"
        )
    back = rows_of(table, label=SILENT)
    if len(back):
        said.append(
            f"Of {words.count(back['customers'].sum())} who did not buy in {before}, "
            f"{words.share(1 - _share(table, SILENT, SILENT), 1)} came back"
        )
    said.append(
        "Part of this is luck: a good quarter is seldom followed by one as good".replace(
            "quarter", "month" if "-" in str(table["from_period"].iloc[0]) else "quarter"
        )
    )
    alt = f"Cells of shares, groups of value of {before} against those of {now}"
    alt += f"; of the best {words.share(stay, 1)} stay, {words.share(gone, 1)} do not buy." if size else "."
    return Words(sub, ". ".join(said) + ".", alt)


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    groups = _groups(table)
    rows = [name for name in [*groups, SILENT, NEW] if (table["label"] == name).any()]
    columns = [*groups, SILENT]
    left = style.room([_long(name, groups) for name in rows])
    figure = style.canvas(width, CELL * len(rows) + 68)
    axes = style.panel(figure, left, 8, 58, 10)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(0.5 - len(rows), 0.5))
    for y, before in enumerate(rows):
        for x, now in enumerate(columns):
            _cell(axes, x, -y, _share(table, before, now))
    style.y_ticks(axes, [-float(y) for y in range(len(rows))], [_long(name, groups) for name in rows], grid=False)
    style.x_ticks(axes, [])
    axes.tick_params(axis="y", labelcolor=style.INK, pad=6)
    axes.spines["bottom"].set_visible(False)
    for x, name in enumerate(columns):
        short = {SILENT: "did not\nbuy", "1": "1\nbest"}.get(name, name)
        style.say(axes, x, 0.5, short, ha="center", va="bottom", transform=style.shift(axes, 0, 4))
    before, now = (words.group(table[side].iloc[0]) for side in ("from_period", "to_period"))
    style.name_y(axes, f"from {before} (rows) to {now} (columns)", rise=40)
    return figure


def _cell(axes: Axes, x: float, y: float, share: float) -> None:
    from matplotlib.patches import Rectangle

    if share > 0:
        shade = round(0.06 + 0.5 * share, 2)
        axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=style.BLUE, alpha=shade, linewidth=0))
    text = f"{100 * share:.0f}"
    if share == 0:
        text = ""
    elif share < 0.005:
        text = "<1"
    style.say(axes, x, y, text, ha="center", va="center")


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    groups = _groups(table)
    columns = [*groups, SILENT]
    rows = []
    for name in [*groups, SILENT, NEW]:
        size = rows_of(table, label=name)["customers"].sum()
        if size:
            cells = [words.share(_share(table, name, to), 1) for to in columns]
            rows.append((words.capital(_long(name, groups)), words.count(size), *cells))
    return Numbers(("Group", "Customers", *(words.capital(_long(name, groups)) for name in columns)), rows)


FIGURE = Figure(
    "kpi_migration",
    "customers between groups of value from one period to the next",
    "strategy",
    "square",
    heading,
    table,
    describe,
    draw,
    numbers,
)
