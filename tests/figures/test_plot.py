"""One figure outside a report: its axes, and errors that teach."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from fakes.run import fake_run
from fakes.tiny import worth_run

from clvmodels.errors import DataError
from clvmodels.figures import FIGURES, plot


def test_plots_return_axes(company_run):
    from matplotlib.axes import Axes

    axes = plot("tracking", company_run)
    assert isinstance(axes, Axes)
    again = plot("tracking", FIGURES["tracking"].table(company_run), company_run.about, width=328)
    assert again.figure.get_size_inches()[0] * 72 == pytest.approx(328)
    assert axes.figure.number in plt.get_fignums()
    plt.close("all")


def test_plot_teaches_what_is_wrong(company_run):
    with pytest.raises(DataError, match="Unknown figure 'trackin'; did you mean 'tracking'"):
        plot("trackin", company_run)
    with pytest.raises(DataError, match="needs `about`"):
        plot("tracking", FIGURES["tracking"].table(company_run))
    with pytest.raises(DataError, match=r"'checks' is a table, not a drawing.*FIGURES\[name\].numbers"):
        plot("checks", company_run)
    with pytest.raises(DataError, match=r"figure 'tracking'.*no results"):
        plot("tracking", fake_run(60, draws=100, holdout=False))


def test_a_plot_is_wide_and_on_white_and_of_what_is_said_of_the_run():
    """What is said beside a run counts more than what the run says of itself."""
    run = worth_run()
    axes = plot("value_ranking", run)
    assert axes.figure.get_size_inches()[0] * 72 == pytest.approx(688)
    assert axes.figure.get_facecolor() == (1, 1, 1, 1)
    of_table = plot("value_ranking", FIGURES["value_ranking"].table(run), replace(run.about, horizon=4.0))
    of_run = plot("value_ranking", run, replace(run.about, horizon=4.0))
    for drawn, told in ((axes, "profit, 52 weeks"), (of_table, "profit, 4 weeks"), (of_run, "profit, 4 weeks")):
        assert told in [text.get_text() for text in drawn.texts]
    plt.close("all")


@pytest.mark.parametrize(
    ("name", "run", "told"),
    [
        ("checks", worth_run(), "'checks' is a table, not a drawing. Read FIGURES[name].numbers(table, about)"),
        ("tracking", worth_run(), "figure 'tracking': no results for it in this run"),
        ("tracking", pd.DataFrame(), "figure 'tracking': a table alone needs `about`, what the run is"),
    ],
)
def test_plot_says_what_is_missing(name, run, told):
    with pytest.raises(DataError) as raised:
        plot(name, run)
    assert str(raised.value).strip() == told
