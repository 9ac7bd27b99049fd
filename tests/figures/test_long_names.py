"""A name from the data may be of any length: it is cut, at a length that its place has room for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from fakes.says import cases_of, stored
from matplotlib.text import Text

from clvmodels.figures import FIGURES
from clvmodels.figures.style import NARROW, WIDE
from clvmodels.results.tables import named

LONG = "m" * 250


class Cut(NamedTuple):
    """The letters, with the ellipsis, that a long name has in each place; the columns of the table that hold names."""

    columns: tuple[str, ...]
    caption: Sequence[int] = ()
    alt: Sequence[int] = ()
    cells: Sequence[int] = ()
    wide: Sequence[int] = ()
    narrow: Sequence[int] = ()


LENGTHS = {
    "payback": Cut(("channel",), caption=[24], alt=[24], cells=[40], wide=[16], narrow=[8]),
    "value_ranking": Cut(("customer",), cells=[40], wide=[18], narrow=[12]),
    "revenue_profit": Cut(("customer",), caption=[24], cells=[40]),
    "top_odds": Cut(("name",), wide=[18], narrow=[12]),
    "scores": Cut(("label",), cells=[40]),
    "model_comparison": Cut(("label",), caption=[40], cells=[60], wide=[16], narrow=[8]),
    "group_effects": Cut(("label",), caption=[30], alt=[40], cells=[40], wide=[16], narrow=[8]),
    "kpi_win_keep": Cut(("label",), caption=[40], cells=[40], wide=[16], narrow=[8]),
    "kpi_programmes": Cut(("name", "reason"), caption=[40], cells=[60, 120]),
    "kpi_base_value": Cut(("reason", "found"), caption=[60, 80], cells=[60]),
    "data_cleaning": Cut(("source", "where", "reason", "what"), caption=[80], cells=[40, 60, 80]),
    "origins": Cut(("source", "column", "own_column"), cells=[40, 120, 240]),
    "prior_posterior": Cut(("title",), cells=[80], wide=[12], narrow=[11]),
    "checks": Cut(("check", "consequence", "entry"), cells=[28, 200, 240]),
}


def with_long_names(table, columns):
    """Every name of these columns of a figure's table, or of its several, with 250 letters before it."""
    tables = {
        name: frame.assign(**{c: LONG + frame[c].astype(str) for c in columns if c in frame})
        for name, frame in named("table", table).items()
    }
    return tables["table"] if "table" in tables else type(table)(*tables.values())


def lengths(*texts):
    """Of the long names in texts."""
    return sorted({len(name) for text in texts for name in re.findall(r"[mM]{6,}…?", text)})


def drawn(figure, table, about, width):
    canvas = figure.draw(table, about, width)
    return lengths(*(text.get_text() for text in canvas.findobj(Text)))


@pytest.mark.parametrize("name", LENGTHS)
def test_long_names_are_cut(name):
    figure, case = FIGURES[name], next(iter(cases_of(name).values()))
    run = case.run()
    table = stored(with_long_names(figure.table(run), LENGTHS[name].columns))
    words, numbers = figure.words(table, run.about), figure.numbers(table, run.about)
    cut = Cut(
        LENGTHS[name].columns,
        lengths(words.sub, words.caption),
        lengths(words.alt),
        lengths(*numbers.columns, *(cell for row in numbers.rows for cell in row)),
        *(drawn(figure, table, run.about, width) if figure.draw else [] for width in (WIDE, NARROW)),
    )
    expected = LENGTHS[name]
    assert tuple(map(list, cut)) == tuple(map(list, expected))
