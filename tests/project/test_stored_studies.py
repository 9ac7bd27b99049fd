"""The version of a stored study's code: it sees what Python runs, and not where it stands or how it is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from clvmodels.models import COSTS, MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments" / "calibration"))

import code_version as versions
import stored

CODE = """
from a import b

A, WORDS = 1, "a title"


def f(x: int = A) -> int:
    \"\"\"Some words.\"\"\"
    y: int = x  # why
    return y
"""
SAME = {
    "words": CODE.replace("a title", "another title").replace("Some", "Other").replace("# why", ""),
    "annotations and imports": CODE.replace(": int", "").replace(" -> int", "").replace("from a", "from c.d"),
    "order": "def f(x=A):\n    y: int = x\n    return y\n\n\nA, WORDS = (1, 'the title')\n",
    "exports": CODE + '\n__all__ = ["f"]\n',
    "what types need": CODE + "\nif TYPE_CHECKING:\n    from x import Y\n",
}
OTHER = {
    "a constant": CODE.replace("A, WORDS = 1", "A, WORDS = 2"),
    "a default": CODE.replace("= A)", "= 2)"),
    "a name in a text": CODE.replace("a title", "title"),
    "one statement more": CODE + "\nB = 2\n",
}


@pytest.fixture
def version(tmp_path):
    """The version of some texts, each in a file of its own."""

    def of(*texts: str) -> str:
        files = [tmp_path / f"{k}.py" for k in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="utf-8")
        return versions.version_of(files)

    return of


@pytest.mark.parametrize("what", SAME)
def test_words_layout_and_types_change_no_version(what, version):
    assert version(SAME[what].replace("the title", "a title")) == version(CODE)


@pytest.mark.parametrize("what", OTHER)
def test_code_changes_it(what, version):
    assert version(OTHER[what]) != version(CODE)


def test_the_fields_of_a_class_are_code(version):
    fields = "class C:\n    x: int\n    y: int = 1\n"
    assert version(fields) == version(fields.replace("int", "float")) != version(fields.replace("    x: int\n", ""))
    assert version(fields) != version(fields.replace("y: int = 1", "y = 1"))


def test_a_file_that_is_moved_or_split_changes_no_version(version):
    head, tail = CODE.split("\n\n\n")
    assert version(tail, "", head) == version(CODE) != version(head)


def test_the_key_of_a_random_stream_is_code(version):
    drawn = 'x = KeyedRandom(seed, "past state", labels, 1)\n'
    assert version(drawn) != version(drawn.replace("past", "other"))


def test_a_module_that_does_not_exist_is_an_error():
    for name in ("clvmodels.inference.density_of_old", "clvmodels.nowhere.at_all"):
        with pytest.raises(ModuleNotFoundError, match="name where it is now"):
            versions.files_of(name)


def test_a_package_is_all_its_files():
    files = {file.stem for file in versions.files_of("clvmodels.inference")}
    assert {"posterior", "laplace", "effects"} <= files


def test_a_model_rests_on_its_parts_and_on_no_other_model():
    stems = {file.stem for file in versions.files_of_model(MODELS["bg_nbd"])}
    assert {"bg_nbd", "beta_coin", "compose", "poisson_gamma"} <= stems
    assert not {"exponential_gamma", "pareto_nbd", "gamma_gamma"} & stems


@pytest.mark.parametrize("model", [*MODELS.values(), *COSTS.values()], ids=lambda model: model.name)
def test_every_model_has_a_module_that_makes_it(model):
    assert versions.module_of(model).startswith("clvmodels.models.")


def test_parts_that_are_imported_as_modules_count(tmp_path, monkeypatch):
    """However they are imported."""
    file, parts = tmp_path / "some_model.py", "clvmodels.models.parts"
    for line in (f"from {parts} import beta_coin", f"from {parts}.beta_coin import X", f"import {parts}.beta_coin"):
        file.write_text(line, encoding="utf-8")
        assert versions._imported_models("clvmodels.models.some_model", file) == {f"{parts}.beta_coin"}


def rows(*ranks: str, code: str = "older") -> pd.DataFrame:
    return pd.DataFrame({"seed": range(1, len(ranks) + 1), "quantity": "r", "rank": ranks, "refused": "", "code": code})


def test_a_confirmation_replays_what_is_not_present_and_stays(tmp_path):
    path, asked = tmp_path / "study.csv", []

    def replay(seeds):
        asked.append(list(seeds))
        return table[table["seed"].isin(seeds)]

    table = pd.concat([rows("0.1", "0.2"), rows("0.3", "0.4", "0.5", code="now").assign(seed=[3, 4, 5])])
    table.to_csv(path, index=False)
    assert len(stored.present_rows(path, "now")) == 3
    assert stored.confirm(path, "now", replay) == [] and asked == [[1, 2]]
    assert len(stored.present_rows(path, "now")) == 5
    assert stored.confirm(path, "now", replay) == [] and len(asked) == 1
    assert stored.confirm(path, "later", replay) == [] and asked[1:] == [[3], [1, 2]]
    assert set(pd.read_csv(tmp_path / "confirmed.csv")["confirmed_for"]) == {"later"}


def test_a_confirmation_says_what_differs_and_by_how_much(tmp_path):
    path = tmp_path / "study.csv"
    rows("0.1", "0.25").to_csv(path, index=False)
    refused = rows("0.1", "0.5").assign(refused=["no mode", ""])
    said = stored.confirm(path, "now", lambda seeds: refused)
    assert said == ["seed 2, r: rank 0.25 stored, 0.5 now, off by 0.25", "seed 1, r: refused no stored, yes now"]
    assert stored.confirm(path, "now", lambda seeds: rows("0.1")) == ["seed 2, r: stored, and not there now"]
    assert not (tmp_path / "confirmed.csv").exists()
