"""The experiment file: what is read, what is refused, and that every problem is told at once and where."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from fakes.experiment_files import MINIMAL, load, problems

from clvmodels.config.experiment import Experiment, dump, load_experiment
from clvmodels.config.sections import DataSection
from clvmodels.customers.table import DAYS_PER_UNIT
from clvmodels.datasets import DATASETS
from clvmodels.errors import ConfigError
from clvmodels.figures import FIGURES
from clvmodels.inference.effects import Effect
from clvmodels.metrics import METRICS
from clvmodels.sources.reasons import Policies

EXPERIMENTS = sorted((Path(__file__).parents[2] / "experiments").rglob("*.yaml"))

DESIGN = """\
title: Does dropout come by the clock or after a purchase?
data: {dataset: cdnow, time_unit: week, calibration_end: 1997-09-30, holdout: 39}
models:
  pareto_nbd: {purchases: pareto_nbd, spend: gamma_gamma}
  bg_nbd: {purchases: bg_nbd, spend: gamma_gamma, priors: {alpha: {dist: Gamma, mu: 5, sigma: 5}}}
  by_month:
    {purchases: bg_nbd, spend: gamma_gamma, effects: [{part: purchases, parameters: [alpha], group: first_month}]}
sampler: {method: auto, draws: 1000, chains: 4}
economics: {margin: 0.3, annual_discount_rate: 0.12, horizon: 52}
metrics: [elpd, crps, pit, coverage, total_purchases]
seed: 42
"""


def test_the_example_of_the_design_is_read(tmp_path):
    experiment = load(tmp_path, DESIGN)
    assert list(experiment.models) == ["pareto_nbd", "bg_nbd", "by_month"]
    assert experiment.data.calibration_end == date(1997, 9, 30)
    assert experiment.data.holdout == 39.0
    assert experiment.data.currency == "USD"  # said by the data set
    assert experiment.models["by_month"].effects[0]["parameters"] == ("alpha",)
    assert experiment.models["bg_nbd"].priors == {"alpha": {"dist": "Gamma", "mu": 5, "sigma": 5}}
    assert experiment.economics is not None and experiment.economics.horizon == 52
    assert experiment.metrics == ("elpd", "crps", "pit", "coverage", "total_purchases")
    assert experiment.figures == tuple(FIGURES)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_committed_experiments_are_sound_and_survive_a_dump(path, tmp_path):
    experiment = load_experiment(path)
    assert load(tmp_path, dump(experiment)) == experiment


def test_defaults_come_from_the_data_set_and_the_registries(tmp_path):
    experiment = load(tmp_path, MINIMAL)
    assert experiment.data.time_unit == "week"
    assert experiment.data.calibration_end == date(1997, 9, 30)
    assert experiment.data.holdout == 39
    assert experiment.metrics == tuple(METRICS)
    assert (experiment.value_at, experiment.top_share, experiment.seed) == ("data_end", 0.2, 42)
    assert experiment.economics is None
    assert not experiment.report.public


def test_a_default_holdout_keeps_its_length_in_another_time_unit(tmp_path):
    experiment = load(tmp_path, MINIMAL.replace("dataset: cdnow", "dataset: cdnow, time_unit: day"))
    assert experiment.data.holdout == 39 * 7


def test_null_means_none_even_where_the_data_set_has_a_default(tmp_path):
    experiment = load(tmp_path, MINIMAL.replace("dataset: cdnow", "dataset: cdnow, calibration_end: null"))
    assert experiment.data.calibration_end is None
    assert experiment.data.holdout is None
    assert load(tmp_path, dump(experiment)) == experiment


OWN = """\
title: Mine
data:
  transactions: orders.csv
  columns: {customer_id: cust, date: day, amount: sales}
  date_format: "%d/%m/%Y"
  timezone: Europe/Berlin
  currency: EUR
  groups: [channel]
  policies: {refunds: net}
  acquired_between: [2005-01-01, 2005-12-31]
  time_unit: week
  calibration_end: 2006-12-31
  holdout: 2007-06-30
models:
  bg: {purchases: bg_nbd, spend: gamma_gamma, effects: [{part: purchases, parameters: [r, alpha], group: channel}]}
"""


def test_covariates_of_ones_own_file(tmp_path):
    (tmp_path / "orders.csv").touch()
    effect = "{part: lifetime, parameters: [dropout_mean], covariates: [nps, age], missing: indicator}"
    text = OWN.replace("groups: [channel]", "groups: [channel]\n  covariates: [nps, age]")
    experiment = load(tmp_path, text.replace("group: channel}]", f"group: channel}}, {effect}]"))
    assert experiment.data.covariates == experiment.models["bg"].effects[1]["covariates"] == ("nps", "age")
    made = Effect.from_mapping(experiment.models["bg"].effects[1])
    assert made == Effect("lifetime", ("dropout_mean",), covariates=("nps", "age"), missing="indicator")
    assert load(tmp_path, dump(experiment)) == experiment
    told = problems(tmp_path, text.replace("group: channel}]", f"group: channel}}, {effect}, {effect}]"))
    assert len(told) == 2 and "An effect of 'nps' on 'dropout_mean' is already there" in told[0]


def test_one_line_pools_every_part_by_a_group_of_the_data(tmp_path):
    (tmp_path / "orders.csv").touch()
    text = OWN.replace("effects: [{part: purchases, parameters: [r, alpha], group: channel}]", "by: channel")
    experiment = load(tmp_path, text)
    assert experiment.models["bg"].by == "channel" and load(tmp_path, dump(experiment)) == experiment
    assert load(tmp_path, OWN).models["bg"].by is None
    (told,) = problems(tmp_path, text.replace("by: channel", "by: chanel"))
    assert "models.bg.by: Unknown group 'chanel'; did you mean 'channel'" in told and "data's groups" in told
    (told,) = problems(
        tmp_path, text.replace("groups: [channel]", "groups: [alpha]").replace("by: channel", "by: alpha")
    )
    assert "models.bg.by: a column of an effect cannot be called 'alpha', as a parameter is" in told
    (told,) = problems(tmp_path, text.replace("groups: [channel]", "groups: [draw]").replace("by: channel", "by: draw"))
    assert "models.bg.by: a column of an effect cannot be called 'draw', as draws are" in told


def test_laplace_follows_the_two_groups_of_purchases_that_one_line_pools_and_no_third(tmp_path):
    (tmp_path / "orders.csv").touch()
    by = "by: channel, effects: [{part: purchases, parameters: [r], group: first_month}]"
    text = OWN.replace("effects: [{part: purchases, parameters: [r, alpha], group: channel}]", by)
    text += "sampler: {method: laplace}\n"
    (told,) = problems(tmp_path, text)
    assert "laplace can follow two pooled groups of a model, and the purchases model has 3" in told
    load(tmp_path, text.replace(by, "by: channel"))


def test_a_file_of_ones_own(tmp_path):
    (tmp_path / "orders.csv").touch()
    experiment = load(tmp_path, OWN)
    assert experiment.data.holdout == date(2007, 6, 30)
    assert experiment.data.acquired_between == (date(2005, 1, 1), date(2005, 12, 31))
    assert experiment.data.policies == Policies(refunds="net")
    assert load(tmp_path, dump(experiment)) == experiment
    assert load(tmp_path, OWN.replace("  policies: {refunds: net}\n", "")).data.policies == Policies()
    doubts = 'policies: {empty: [NULL, guest, 0, "-1"], ids: {same: casefold}, dates: {latest: today}}'
    experiment = load(tmp_path, OWN.replace("policies: {refunds: net}", doubts))
    stated = Policies(empty=["null", "guest", "0", "-1"], ids={"same": ["casefold"]}, dates={"latest": "today"})
    assert experiment.data.policies == stated
    assert load(tmp_path, dump(experiment)) == experiment
    (told,) = problems(tmp_path, OWN.replace("{refunds: net}", "{dates: {latest: tomorrow}}"))
    assert "data.policies.dates.latest: Must be a day, written as 2024-06-30, or today" in told
    (told,) = problems(tmp_path, OWN.replace("{refunds: net}", "{ids: {sam: casefold}}"))
    assert "data.policies.ids.sam: Unknown key 'sam'; did you mean 'same'?" in told


def test_a_missing_file_is_told_before_anything_runs(tmp_path):
    (told,) = problems(tmp_path, OWN)
    assert told.startswith("e.yaml:3:17: data.transactions: No such file: orders.csv")


def test_every_problem_is_told_at_once_in_the_order_of_the_file(tmp_path):
    text = """\
title: 12
datta: {dataset: cdnow}
data: {dataset: cdnov, holdout: 12:30:00}
models:
  a/b: {purchases: bgnbd, spend: gamma_gama}
  x: {purchases: bg_nbd, priors: {alfa: {dist: Gamma, mu: 5, sigma: 5}}}
  x: {purchases: bg_nbd}
sampler: {method: mle, draws: 1_000, chains: 010}
economics: {margin: 30, annual_discount_rate: -1, horizon: 0}
metrics: [elpdd]
report: {public: no}
"""
    told = problems(tmp_path, text)
    assert [one.split(": ", 1)[0] for one in told] == [
        "e.yaml:1:8",
        "e.yaml:2:1",
        "e.yaml:3:17",
        "e.yaml:3:33",
        "e.yaml:5:3",
        "e.yaml:5:20",
        "e.yaml:5:34",
        "e.yaml:6:3",
        "e.yaml:6:35",
        "e.yaml:7:3",
        "e.yaml:8:19",
        "e.yaml:8:31",
        "e.yaml:8:46",
        "e.yaml:9:21",
        "e.yaml:9:47",
        "e.yaml:9:60",
        "e.yaml:10:11",
        "e.yaml:11:18",
    ]
    everything = "\n".join(told)
    for phrase in (
        "Unknown key 'datta'; did you mean 'data'?",
        "did you mean 'cdnow'?",
        "did you mean 'bg_nbd'?",
        "did you mean 'gamma_gamma'?",
        "Unknown parameter 'alfa'; did you mean 'alpha'?",
        "stands here a second time, first at line 6",
        "mle gives one point and no posterior",
        "0.3 means 30%",
        "did you mean 'elpd'?",
        "true or false",
    ):
        assert phrase in everything


# (what to put in place of what, the place that is told, a phrase of the message)
COMBINATIONS = {
    "two sources": ("dataset: cdnow,", "dataset: cdnow, transactions: o.csv,", "data.transactions", "one source"),
    "no source": ("dataset: cdnow, ", "", "data", "No data is named"),
    "columns of a data set": (
        "dataset: cdnow,",
        "dataset: cdnow, columns: {date: d},",
        "data.columns",
        "knows its own",
    ),
    "policies of a data set": ("dataset: cdnow,", "dataset: cdnow, policies: {},", "data.policies", "knows its own"),
    "size of real data": ("dataset: cdnow,", "dataset: cdnow, customers: 500,", "data.customers", "simulated"),
    "unknown group of data": ("dataset: cdnow,", "dataset: cdnow, groups: [x],", "data.groups[0]", "Unknown group"),
    "no calibration end": ("1997-09-30", "null", "data.holdout", "Give calibration_end too"),
    "holdout before it begins": ("holdout: 39", "holdout: 1997-09-30", "data.holdout", "not after calibration_end"),
    "negative holdout": ("holdout: 39", "holdout: -1", "data.holdout", "above 0"),
    "impossible day": ("1997-09-30", "1997-09-31", "data.calibration_end", "day of the calendar"),
    "sloppy day": ("1997-09-30", "30.9.1997", "data.calibration_end", "written as 1997-09-30"),
    "days in reverse": (
        "dataset: cdnow,",
        "dataset: cdnow, acquired_between: [1997-02-01, 1997-01-01],",
        "data.acquired_between",
        "after",
    ),
    "one day of two": (
        "dataset: cdnow,",
        "dataset: cdnow, acquired_between: [1997-02-01],",
        "data.acquired_between",
        "at least 2",
    ),
    "spend is missing": (", spend: gamma_gamma, priors", ", priors", "models.bg_nbd", "Economics need a spend model"),
    "a purchase model for spend": (
        "spend: gamma_gamma, priors",
        "spend: bg_nbd, priors",
        "models.bg_nbd.spend",
        "Unknown",
    ),
    "effect on no parameter": ("[alpha]", "[]", "models.by_month.effects[0].parameters", "at least 1"),
    "effect on a foreign parameter": (
        "[alpha]",
        "[beta]",
        "models.by_month.effects[0].parameters[0]",
        "Unknown parameter",
    ),
    "effect on another part": ("[alpha]", "[a]", "models.by_month.effects[0].parameters[0]", "belongs to the part"),
    "effect twice": ("[alpha]", "[alpha, alpha]", "models.by_month.effects[0].parameters[1]", "listed twice"),
    "effect by an unknown group": ("first_month", "last_month", "models.by_month.effects[0].group", "Unknown group"),
    "effect's prior": (
        "group: first_month",
        "group: first_month, sd_prior: {dist: Normal}",
        "models.by_month.effects[0].sd_prior.dist",
        "Normal is no prior of something above 0",
    ),
    "effect of neither": (", group: first_month", "", "models.by_month.effects[0]", "no group or covariates"),
    "effect of both": (
        "group: first_month",
        "group: first_month, covariates: [age]",
        "models.by_month.effects[0]",
        "a group and covariates",
    ),
    "effect of an unknown covariate": (
        "group: first_month",
        "covariates: [age]",
        "models.by_month.effects[0].covariates[0]",
        "Unknown covariate 'age'",
    ),
    "covariate twice": (
        "group: first_month",
        "covariates: [age, age]",
        "models.by_month.effects[0].covariates[1]",
        "listed twice",
    ),
    "coefficient's prior": (
        "group: first_month",
        "covariates: [age], coefficient_prior: {dist: Gamma, mu: 1, sigma: 1}",
        "models.by_month.effects[0].coefficient_prior.dist",
        "Gamma is no prior of either sign",
    ),
    "policy of covariates for a group": (
        "group: first_month",
        "group: first_month, missing: mean",
        "models.by_month.effects[0].missing",
        "belongs to an effect of covariates",
    ),
    "policy for missing covariates": (
        "group: first_month",
        "covariates: [age], missing: drop",
        "models.by_month.effects[0].missing",
        "'refuse', 'mean' or 'indicator'",
    ),
    "handle beside parameters": (
        "part: purchases, parameters: [alpha]",
        "part: lifetime, parameters: [a, dropout_mean]",
        "models.by_month.effects[0].parameters[1]",
        "cannot be tied",
    ),
    "handle of another part": (
        "[alpha]",
        "[dropout_mean]",
        "models.by_month.effects[0].parameters[0]",
        "belongs to the part 'lifetime'",
    ),
    "unknown covariate of data": (
        "dataset: cdnow,",
        "dataset: cdnow, covariates: [x],",
        "data.covariates[0]",
        "Unknown",
    ),
    "prior without scale": ("sigma: 5", "sigmo: 5", "models.bg_nbd.priors.alpha.sigmo", "did you mean 'sigma'"),
    "prior in words": ("mu: 5", "mu: five", "models.bg_nbd.priors.alpha", "not a number"),
    "value at no split": (
        "calibration_end: 1997-09-30, holdout: 39}",
        "calibration_end: null, holdout: null}\nvalue_at: calibration_end",
        "value_at",
        "Needs a calibration_end",
    ),
    "margin in per cent": ("margin: 0.3", "margin: 30", "economics.margin", "0.3 means 30%"),
    "margin that is no number": ("margin: 0.3", "margin: .nan", "economics.margin", "finite"),
    "discount in per cent": ("0.12", "12", "economics.annual_discount_rate", "0.12 means 12%"),
    "discount of everything": ("0.12", "-1.0", "economics.annual_discount_rate", "greater than -1"),
    "endless horizon": ("horizon: 52", "horizon: .inf", "economics.horizon", "finite"),
    "unsafe name": ("  by_month:", "  ../by_month:", "models...", "not safe"),
    "device name": ("  by_month:", "  con:", "models.con", "not safe"),
    "names alike": ("  by_month:", "  BG_NBD:", "models.BG_NBD", "capitals"),
    "metric twice": ("[elpd, crps", "[elpd, elpd", "metrics[1]", "twice"),
    "too few chains": ("chains: 4", "chains: 1", "sampler.chains", "greater than or equal to 2"),
    "seed that is no number": ("seed: 42", "seed: 4.2", "seed", "whole number"),
    "currency in words": ("time_unit: week", "currency: dollars", "data.currency", "Three capital letters"),
    "time unit": ("time_unit: week", "time_unit: weeks", "data.time_unit", "'quarter' or 'year'"),
}


@pytest.mark.parametrize(("old", "new", "place", "phrase"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_what_cannot_be_meant_is_refused(tmp_path, old, new, place, phrase):
    assert old in DESIGN
    told = problems(tmp_path, DESIGN.replace(old, new, 1))
    assert any(f": {place}" in one and phrase in one for one in told), told


def test_laplace_follows_two_effects_of_a_model_and_no_more(tmp_path):
    by_laplace = DESIGN.replace("method: auto", "method: laplace")
    effect = "{part: purchases, parameters: [alpha], group: first_month}"
    assert load(tmp_path, by_laplace).sampler.method == "laplace"
    spend = effect.replace("purchases", "spend").replace("alpha", "v")
    assert load(tmp_path, by_laplace.replace(effect, f"{effect}, {spend}")).sampler.method == "laplace"
    lifetime = effect.replace("purchases", "lifetime").replace("alpha", "a")
    two = f"{effect}, {lifetime}"
    assert load(tmp_path, by_laplace.replace(effect, two)).sampler.method == "laplace"
    three = f"{two}, {effect.replace('alpha', 'r')}"
    told = problems(tmp_path, by_laplace.replace(effect, three))
    assert len(told) == 1
    assert (
        "models.by_month.effects: laplace can follow two pooled groups of a model, and the purchases model has 3"
        in told[0]
    )
    assert "Use method: auto or nuts" in told[0]
    assert load(tmp_path, DESIGN.replace(effect, three)).sampler.method == "auto"


def test_a_calendar_that_no_entry_is_on_is_told(tmp_path):
    calendars = "calendars:\n  sale: {holidays: [1997-11-28]}\n  xmas: {holidays: [1997-12-25]}\n"
    text = MINIMAL.replace("bg_nbd}", "bg_nbd, calendar: xmas}") + calendars
    (told,) = problems(tmp_path, text)
    assert told.startswith("e.yaml:6:3: calendars.sale: The calendar 'sale' is used by no entry")
    assert "Write calendar: sale in a model's entry, or remove it" in told
    both = problems(tmp_path, text.replace("calendar: xmas", "calendar: xmass"))
    assert len(both) == 3 and "did you mean 'xmas'?" in both[0]
    assert list(load(tmp_path, text.replace("  sale: {holidays: [1997-11-28]}\n", "")).calendars) == ["xmas"]


TITLE = "title: Does dropout come by the clock or after a purchase?"
TRAPS = {
    "1e-3": ("margin: 0.3", "margin: 1e-3", lambda e: e.economics.margin == 0.001),
    "no is text": (TITLE, "title: no", lambda e: e.title == "no"),
    "0777 is text": (
        TITLE,
        "title: 0777",
        lambda e: e.title == "0777",
    ),
    "a time is text": (
        TITLE,
        "title: 12:30:00",
        lambda e: e.title == "12:30:00",
    ),
    "a whole number is a number": ("margin: 0.3", "margin: 1", lambda e: e.economics.margin == 1.0),
}


@pytest.mark.parametrize(("old", "new", "holds"), TRAPS.values(), ids=TRAPS)
def test_traps_of_yaml_are_read_as_typed(tmp_path, old, new, holds):
    assert holds(load(tmp_path, DESIGN.replace(old, new)))


@pytest.mark.parametrize("text", ["010", "1_000", "12:30:00", "0x10", "1,000"])
def test_numbers_that_yaml_reads_in_another_way_are_refused_with_advice(tmp_path, text):
    told = problems(tmp_path, DESIGN.replace("horizon: 52", f'horizon: "{text}"'))
    assert "economics.horizon: Must be a number" in told[0]
    told = problems(tmp_path, DESIGN.replace("draws: 1000", f'draws: "{text}"'))
    assert "Write numbers as plain decimals" in told[0]


def test_dicts_are_checked_as_files_are():
    mapping = {
        "title": "t",
        "data": {"dataset": "cdnow", "calibration_end": date(1997, 6, 30), "holdout": 10},
        "models": {"bg": {"purchases": "bg_nbd"}},
    }
    assert Experiment.from_dict(mapping).data.calibration_end == date(1997, 6, 30)
    with pytest.raises(ConfigError, match=r"models\.bg\.purchases: Unknown purchase model"):
        Experiment.from_dict({**mapping, "models": {"bg": {"purchases": "bgnbd"}}})
    with pytest.raises(ConfigError, match="text, numbers, dates"):
        Experiment.from_dict({**mapping, "title": object()})


def test_an_experiment_cannot_be_changed():
    experiment = Experiment.from_dict(
        {"title": "t", "data": {"dataset": "cdnow"}, "models": {"a": {"purchases": "bg_nbd"}}}
    )
    with pytest.raises(ValueError, match="frozen"):
        experiment.seed = 1


def test_what_an_experiment_holds_cannot_be_changed_behind_its_back(tmp_path):
    experiment = load(tmp_path, DESIGN)
    by_month = experiment.models["by_month"]
    assert hash(experiment) == hash(load(tmp_path, DESIGN))  # so nothing in it, however deep, is a dict or a list
    for mapping in (
        experiment.models,
        by_month.priors,
        by_month.effects[0],
        experiment.models["bg_nbd"].priors["alpha"],
    ):
        with pytest.raises(TypeError):
            mapping["alpha"] = 1
    assert by_month.effects[0]["covariates"] == ()


def test_sections_agree_with_the_stages_they_speak_to():
    """The file's sections repeat what heavy modules define, so that reading one needs none of them."""
    assert get_args(DataSection.model_fields["time_unit"].annotation) == tuple(DAYS_PER_UNIT)


def test_policies_are_as_strict_as_the_sections(tmp_path):
    (tmp_path / "orders.csv").touch()
    told = problems(tmp_path, OWN.replace("{refunds: net}", "{refunds: nett, unreadabel: drop, zero_amounts: true}"))
    assert [line.split(": ")[1] for line in told] == [
        "data.policies.refunds",
        "data.policies.unreadabel",
        "data.policies.zero_amounts",
    ]
    assert "Unknown key 'unreadabel'; did you mean 'unreadable'?" in told[1]
    (whole,) = problems(tmp_path, OWN.replace("{refunds: net}", "[net]"))
    assert "data.policies: Must be a mapping of keys" in whole
    frozen = load(tmp_path, OWN).data.policies
    with pytest.raises(FrozenInstanceError):
        frozen.refunds = "drop"


def test_every_data_set_is_enough_by_itself():
    for name, dataset in DATASETS.items():
        model = "bg_bb" if dataset.defaults.get("time") == "opportunities" else "bg_nbd"
        mapping = {"title": "t", "data": {"dataset": name}, "models": {"bg": {"purchases": model}}}
        data = Experiment.from_dict(mapping).data
        assert (data.calibration_end is None) == (data.holdout is None)


def test_reading_the_module_imports_nothing_heavy():
    heavy = ["pymc", "pytensor", "arviz", "duckdb", "ibis", "pandas", "numpy", "matplotlib"]
    code = f"import sys, clvmodels.config.experiment; sys.exit(', '.join(set({heavy}) & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
