"""A posterior as a file, whole or refused; groups in it, of the fit and new ones."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr
from contracts.cases import (
    CASES,
    by_channel,
    posterior_of,
    table_of,
)
from contracts.purchase import close
from scipy import stats

from clvmodels.errors import ConfigError, ResultsError
from clvmodels.inference.attempts import Attempt, OtherK
from clvmodels.inference.posterior import SCHEMA_VERSION, load
from clvmodels.inference.samplers.checks import Check
from clvmodels.models import MODELS

HOSTILE = ("", " ", "a/b", "é\n\t", "🛒", "'\"\\", "NaN", "[0]", "x" * 500)


def grouped_posterior(draws: int = 40):
    check = Check("R-hat", 1.2, 1.01, False, "the chains disagree")
    plain = posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, draws)
    attempts = [Attempt("laplace", "k-hat"), OtherK("k = 2", "elpd", 2, -8.5, 3.0)]
    return dataclasses.replace(
        by_channel(plain, "alpha", HOSTILE), checks=[check], attempts=attempts, currency="€", method="nuts"
    )


def test_a_saved_posterior_comes_back_whole(tmp_path):
    posterior = grouped_posterior()
    back = load(posterior.save(tmp_path / "new" / "p.nc"))
    for field in dataclasses.fields(posterior):
        if field.name != "data":
            assert getattr(back, field.name) == getattr(posterior, field.name), field.name
    for name in ("r", "alpha", "alpha_by_channel", "alpha_by_channel_sd"):
        assert np.array_equal(back.stacked(name), posterior.stacked(name))
    table = table_of().assign(channel=[*HOSTILE[2:], "never seen"])
    assert np.array_equal(back.theta(table)["alpha"], posterior.theta(table)["alpha"])
    assert not back.passed and "FAILED" in back._repr_html_()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["p.nc"]
    assert (tmp_path / "new" / "p.nc").read_bytes()[1:4] == b"HDF", "NetCDF: nothing in it is executed when it is read"


def test_files_that_are_no_posterior_are_refused(tmp_path):
    whole = grouped_posterior().save(tmp_path / "p.nc").read_bytes()
    for name, content in {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"r,alpha\n1,2\n"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ResultsError, match="not a readable NetCDF"):
            load(tmp_path / name)
    with pytest.raises(ResultsError, match="no such posterior"):
        load(tmp_path / "absent.nc")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(ResultsError, match="schema version; got none"):
        load(tmp_path / "other.nc")


def test_another_schema_version_is_refused(tmp_path):
    path = grouped_posterior().save(tmp_path / "p.nc")
    tree = xr.open_datatree(path).load()
    tree.close()
    tree.attrs["schema_version"] = SCHEMA_VERSION + 1
    tree.to_netcdf(tmp_path / "later.nc")
    with pytest.raises(
        ResultsError, match=rf"got {SCHEMA_VERSION + 1}. This clvmodels reads version {SCHEMA_VERSION}:"
    ):
        load(tmp_path / "later.nc")


def test_a_posterior_of_an_unknown_model_is_refused(tmp_path):
    tree = xr.open_datatree(grouped_posterior().save(tmp_path / "p.nc")).load()
    tree.attrs["clvmodels"] = json.dumps(json.loads(tree.attrs["clvmodels"]) | {"model": "bgnbd"})
    tree.to_netcdf(tmp_path / "q.nc")
    with pytest.raises(ConfigError, match="did you mean 'bg_nbd'"):
        load(tmp_path / "q.nc")


def test_groups_move_the_parameter_and_new_groups_are_fresh_draws():
    posterior = grouped_posterior(3000)
    labels = ["a/b", "new 1", "new 2", "new 1"]
    table = table_of().iloc[:4].assign(channel=labels)
    alpha, base = posterior.theta(table)["alpha"], posterior.stacked("alpha")[:, None]
    c = -np.log(alpha / base)  # a positive coefficient raises the purchase rate: alpha falls
    close(c[:, 0], posterior.stacked("alpha_by_channel")[:, 2], 1e-12)
    assert np.array_equal(c[:, 1], c[:, 3]) and not np.isclose(c[:, 1], c[:, 2]).any()
    for k in (1, 2):
        assert stats.kstest(c[:, k], stats.norm(0, 0.7).cdf).pvalue > 1e-5
    backwards = posterior.theta(table.iloc[::-1])["alpha"][:, ::-1]
    assert np.array_equal(backwards, alpha)
    with pytest.raises(ConfigError, match="channel"):
        posterior.theta(table_of())


def test_a_posterior_of_which_a_bit_has_changed_is_refused_and_never_in_another_way(tmp_path):
    """Some bits change a draw and nothing else; others end in any error of the readers."""
    whole = bytearray(grouped_posterior().save(tmp_path / "p.nc").read_bytes())
    rng = np.random.default_rng(5)
    original = load(tmp_path / "p.nc")
    for place in rng.choice(len(whole), size=60, replace=False):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "q.nc").write_bytes(changed)
        try:
            again = load(tmp_path / "q.nc")
        except (ResultsError, ConfigError):
            continue
        assert all(np.array_equal(again.stacked(name), original.stacked(name)) for name in ("r", "alpha_by_channel"))
        assert again.checks == original.checks and again.groups == original.groups


def test_a_changed_draw_a_missing_field_and_draws_of_no_model_are_told(tmp_path):
    def changed(change) -> str:
        tree = xr.open_datatree(grouped_posterior().save(tmp_path / "p.nc")).load()
        about = json.loads(tree.attrs["clvmodels"])
        change(tree, about)
        tree.attrs["clvmodels"] = json.dumps(about)
        tree.to_netcdf(tmp_path / "q.nc")
        with pytest.raises(ResultsError) as error:
            load(tmp_path / "q.nc")
        return str(error.value)

    def draw(tree, about, value, keep=("summed",)):
        for name in keep:
            about.pop(name, None)
        tree["posterior"]["r"][0, 0] = value

    assert "its content is not what was written" in changed(lambda tree, about: draw(tree, about, 0.5, keep=()))
    assert "its content is not what was written" in changed(lambda tree, about: about.update(seed=2))
    for value in (np.nan, np.inf, 1e300):
        assert "draws of 'r' are not finite" in changed(lambda tree, about, v=value: draw(tree, about, v))
    assert "was not written in full; got KeyError: 'priors'" in changed(
        lambda tree, about: (about.pop("summed"), about.pop("priors"))
    )
    assert "was not written in full" in changed(lambda tree, about: (about.pop("summed"), about.update(checks=7)))


def test_a_disk_that_takes_nothing_is_named_and_nothing_is_left(tmp_path, monkeypatch):
    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", full)
    with pytest.raises(
        ResultsError, match=r"No space left on device. Make room, or name another folder: .* MB are free"
    ):
        grouped_posterior().save(tmp_path / "p.nc")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ResultsError, match="cannot be written"):
        grouped_posterior().save("/proc/none/p.nc")


def test_how_the_table_was_read_comes_back(tmp_path):
    reading = {"data": {"policies": {"refunds": "net", "empty": ["NULL"]}}, "sources": {"a": {"path": "a.csv"}}}
    posterior = posterior_of(MODELS["bg_nbd"], CASES["bg_nbd"].theta, 40)
    back = load(dataclasses.replace(posterior, reading=reading).save(tmp_path / "p.nc"))
    assert dict(back.reading) == reading
