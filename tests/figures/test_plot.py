"""One figure outside a report: its axes, and errors that teach."""

from __future__ import annotations

import pytest
from fakes.run import fake_run

from clvmodels.errors import DataError
from clvmodels.figures import FIGURES, plot


def test_plots_return_axes(company_run):
    from matplotlib.axes import Axes

    axes = plot("tracking", company_run)
    assert isinstance(axes, Axes)
    again = plot("tracking", FIGURES["tracking"].table(company_run), company_run.about, width=328)
    assert again.figure.get_size_inches()[0] * 72 == pytest.approx(328)
    import matplotlib.pyplot as plt

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
