"""What the data added to the priors."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check, table_of
from fakes.tiny_posterior import posterior_run

from clvmodels.figures import FIGURES
from clvmodels.figures.prior_posterior import Tables, _density, _unit, _window, quantities
from clvmodels.models.parameters import Meaning, Parameter
from clvmodels.models.prior import Prior

PRIOR = Prior("Normal", {"mu": 0.0, "sigma": 1.0})

CASES = {
    "two meanings": Says(
        posterior_run,
        heading="What the data added to the priors",
        sub=("Grey: prior. Blue: posterior. Heights are scaled, a prior's peak may be cut: compare widths and places."),
        caption=(
            "Every posterior is at least **10 times narrower** than its prior (90% intervals; the least: "
            "mean purchase rate while active): the data decide, more than the priors."
        ),
        alt="2 small panels: grey prior, blue posterior; the least narrowed by a factor of 10.",
        titles=("Quantity", "Prior, 90%", "Posterior, middle", "Posterior, 90%", "Times narrower"),
        rows=[
            ("mean purchase rate while active, per week", "0.1 to 1.9", "0.20", "0.11 to 0.29", "10.0"),
            ("how alike customers are", "1 to 19", "2.0", "1.1 to 2.9", "10.0"),
        ],
    ),
    "no meanings: the parameters": Says(
        lambda: posterior_run(meanings=False),
        heading="What the data added to the priors",
        sub=("Grey: prior. Blue: posterior. Heights are scaled, a prior's peak may be cut: compare widths and places."),
        caption=(
            "The data add little on **alpha**: the posterior is less than 2 times narrower than the "
            "prior (90% intervals), so the prior matters there."
        ),
        alt="2 small panels: grey prior, blue posterior; the least narrowed by a factor of 0.0.",
        titles=("Quantity", "Prior, 90%", "Posterior, middle", "Posterior, 90%", "Times narrower"),
        rows=[
            ("r: how alike customers' rates are", "1 to 19", "2.0", "1.1 to 2.9", "10.0"),
            ("alpha: scale of the rates", "10.0", "10.0", "9.1 to 10.9", "0.0"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("prior_posterior", case)


def test_it_draws(accept_drawings):
    check_drawings("prior_posterior", CASES, accept_drawings)


def test_quantities_of_one_name_are_told_apart_and_every_model_is_drawn(company_run):
    found = table_of("prior_posterior", company_run)
    assert found.quantiles.groupby(["name", "series"]).size().eq(1).all()
    names = set(found.quantiles["name"])
    spread = "spread of rates between customers (sd / mean)"
    assert {f"contacts: {spread}", f"referrals: {spread}", "mean contacts"} <= names and spread not in names
    assert set(found.curves["part"]) == {"purchases", "contacts", "referrals"}


def test_more_quantities_than_panels_leave_no_model_out(company_run):
    posteriors = dict(company_run.valued.posteriors)
    of_another = posteriors.pop("contacts")
    valued = company_run.valued.__class__(
        **{**vars(company_run.valued), "posteriors": {**posteriors, **{f"role {k}": of_another for k in range(9)}}}
    )
    found = table_of("prior_posterior", replace(company_run, valued=valued))
    drawn = found.curves
    assert drawn["name"].nunique() == 12 and drawn["part"].nunique() == 11
    said = FIGURES["prior_posterior"].words(found, company_run.about).sub
    assert f"{found.quantiles['name'].nunique() - 12} quantities more" in said
    assert len(FIGURES["prior_posterior"].numbers(found, company_run.about).rows) == found.quantiles["name"].nunique()


def test_coefficients_of_a_calendar_are_told_as_factors():
    season = Parameter("season", "purchases", "none", PRIOR, 1, "purchase rate", "what", lower=-np.inf)
    scale = Parameter("r", "purchases", "none", PRIOR, 1, "purchase rate", "what")
    drift = Parameter("drift", "lifetime", "none", PRIOR, 1, "lifetime", "what", lower=-np.inf)
    model = SimpleNamespace(
        parameters=(season, scale, drift), meanings=(Meaning("rate", "", lambda theta: theta["r"]),)
    )
    draws = {"season": np.log([[2.0, 3.0]]), "r": np.array([[5.0, 6.0]]), "drift": np.array([[1.0, 1.0]])}
    data = {"posterior": {name: SimpleNamespace(values=values) for name, values in draws.items()}}
    before = {name: np.log([4.0, 5.0]) for name in draws}
    fitted = SimpleNamespace(model=model, data=data, prior_draws=before, amount_unit=1.0)
    rate, factor = quantities(fitted, about())
    assert (rate.name, rate.posterior.tolist()) == ("rate", [5.0, 6.0])
    assert (factor.name, factor.title) == ("season", "season: factor on the purchase rate")
    assert factor.prior == pytest.approx([4.0, 5.0]) and factor.posterior == pytest.approx([2.0, 3.0])


@pytest.mark.parametrize(
    ("unit", "currency", "told"),
    [
        ("per {time_unit}", "EUR", ", per week"),
        ("{currency}", "EUR", ", EUR"),
        ("{currency}", None, ""),
        ("", "EUR", ""),
    ],
)
def test_a_quantity_is_told_with_its_unit(unit, currency, told):
    assert _unit(unit, about(currency=currency)) == told


def test_a_panel_shows_the_posterior_whole_and_of_the_prior_as_much_as_leaves_it_a_width():
    found = np.linspace(10.0, 11.0, 1001)
    low, high = np.quantile(found, [0.002, 0.998])
    wide = np.linspace(-1000.0, 1000.0, 1001)
    window = _window(wide, found)
    assert len(window) == 41
    assert (window[0], window[-1]) == pytest.approx((low - 7 * (high - low), high + 7 * (high - low)))
    narrow = np.linspace(9.0, 12.0, 1001)
    assert (_window(narrow, found)[[0, -1]]).tolist() == pytest.approx(np.quantile(narrow, [0.02, 0.9]))
    inside = np.linspace(10.4, 10.6, 1001)
    assert (_window(inside, found)[[0, -1]]).tolist() == pytest.approx([low, high])


def test_a_panel_near_zero_begins_there():
    window = _window(np.linspace(0.01, 3.0, 1001), np.linspace(1.0, 2.0, 1001))
    assert window[0] == pytest.approx(1e-4 * window[-1])
    negative = _window(np.linspace(-0.01, 3.0, 1001), np.linspace(1.0, 2.0, 1001))
    assert negative[0] == pytest.approx(-0.01 + 0.02 * 3.01)


def test_a_posterior_without_any_width_has_a_window():
    for middle in (0.0, 5.0):
        window = _window(np.linspace(-1.0, 1.0, 101), np.full(50, middle))
        assert window[0] < middle <= window[-1] and 0 < window[-1] - window[0] < 1e-7


def narrowed(*ratios, drawn):
    """Quantities whose posterior is so many times narrower than their prior; the first are drawn."""
    rows = []
    for number, ratio in enumerate(ratios):
        for series, width in (("prior", 1.0 * ratio), ("posterior", 1.0)):
            rows.append({"series": series, "name": f"q{number}", "title": f"q{number}", "q5": 0.0, "q95": width})
    curves = pd.DataFrame({"name": [f"q{number}" for number in range(drawn)]})
    return Tables(pd.DataFrame(rows), curves)


@pytest.mark.parametrize(("drawn", "end"), [(3, ""), (2, " 1 quantity more"), (1, " 2 quantities more")])
def test_quantities_that_are_not_drawn_are_counted(drawn, end):
    sub = FIGURES["prior_posterior"].words(narrowed(3, 3, 3, drawn=drawn), about()).sub
    assert sub.endswith("compare widths and places." + (end and f"{end} in the numbers below."))


@pytest.mark.parametrize(("few", "more"), [(4, ""), (5, " (and 1 more)"), (6, " (and 2 more)")])
def test_four_quantities_on_which_data_add_little_are_named(few, more):
    caption = FIGURES["prior_posterior"].words(narrowed(*[1.9] * few, 2.0, drawn=1), about()).caption
    assert caption.startswith(f"The data add little on **q0, q1, q2 and q3{more}**: ")


@pytest.mark.parametrize(("least", "told"), [(2.0, "2.0"), (9.99, "9.9"), (10.0, "10"), (123.9, "124")])
def test_how_much_narrower_is_told_and_never_more(least, told):
    caption = FIGURES["prior_posterior"].words(narrowed(1000.0, least, drawn=2), about()).caption
    assert f"at least **{told} times narrower** than its prior (90% intervals; the least: q1)" in caption


def test_draws_that_are_all_one_are_a_spike_where_they_are():
    x = np.linspace(-2.0, 4.0, 7)
    density = _density(np.full(50, 3.0), x)
    assert x[density > 0.5].tolist() == [3.0]
