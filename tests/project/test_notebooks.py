"""The notebooks run from top to bottom, and are kept without outputs, which would show rows of the data."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
HUNG = 300
"""Seconds after which a cell is taken for hung."""
STATED, FEWER = "DRAWS = 1000", "DRAWS = 250"


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def _with_fewer_draws(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same in less time: every draw of it is stated in the one line that is changed."""
    stating = [cell for cell in _code(notebook) if STATED in cell.source]
    assert len(stating) == 1
    stating[0].source = stating[0].source.replace(STATED, FEWER)
    return notebook


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_is_there():
    assert [path.name for path in NOTEBOOKS] == ["01-cdnow.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    notebook = _read(path)
    nbformat.validate(notebook)
    assert [cell.id for cell in _code(notebook) if cell.outputs or cell.execution_count is not None] == []
    assert [cell.id for cell in notebook.cells if cell.get("attachments")] == []
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}  # no editor's or machine's own remarks


@pytest.fixture(scope="module")
def executed(shared_data, tmp_path_factory) -> dict[str, nbformat.NotebookNode]:
    """Every notebook, run in an empty folder; an error in a cell ends it here, with the cell and its traceback."""
    done = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLVMODELS_DATA", str(shared_data))
        patch.delenv("MPLBACKEND", raising=False)  # the kernel's own shows figures below the cell
        for path in NOTEBOOKS:
            notebook = _with_fewer_draws(_read(path))
            NotebookClient(
                notebook,
                timeout=HUNG,
                kernel_name="python3",
                resources={"metadata": {"path": str(tmp_path_factory.mktemp(path.stem))}},
            ).execute()
            done[path.stem] = notebook
    return done


def _outputs(notebook: nbformat.NotebookNode) -> dict[str, list[nbformat.NotebookNode]]:
    return {cell.id: cell.outputs for cell in _code(notebook)}


def _text(outputs: list[nbformat.NotebookNode]) -> str:
    """What was printed and the HTML of what was shown."""
    return "".join(output.get("text", "") + output.get("data", {}).get("text/html", "") for output in outputs)


def test_every_cell_runs_without_an_error_or_a_warning(executed):
    for notebook in executed.values():
        assert all(cell.execution_count for cell in _code(notebook))
        complaints = {
            name: _text([output])
            for name, outputs in _outputs(notebook).items()
            for output in outputs
            if output.output_type == "error" or output.get("name") == "stderr"
        }
        assert complaints == {}


def test_cdnow_shows_its_figures(executed):
    shown = {
        name
        for name, outputs in _outputs(executed["01-cdnow"]).items()
        if any("image/png" in output.get("data", {}) for output in outputs)
    }
    figures = {"prior-figure", "learned", "one-figure", "tracking", "total-value", "calibration", "concentration"}
    assert shown == figures


def test_cdnow_says_what_its_text_says(executed):
    """The words between the cells are written once; they must stay true of what the cells find."""
    outputs = {name: _text(found) for name, found in _outputs(executed["01-cdnow"]).items()}
    assert "6,919 transactions" in outputs["orders"]
    assert "2,357 customers" in outputs["customers"] and "1,882 purchases" in outputs["customers"]
    assert "all sampling checks passed" in outputs["fit-purchases"]
    assert "all sampling checks passed" in outputs["fit-spend"]
    assert "1,882 purchases came. That is above the forecast's 90% interval" in outputs["verdict"]
    for name in ("forecast", "value"):
        assert "All customers together" in outputs[name]


def test_cdnow_has_priors_as_wide_as_its_text_says(executed):
    lines = dict(line.split(": ") for line in _text(_outputs(executed["01-cdnow"])["prior-figure"]).splitlines())
    ends = {
        what: [float(end.replace(",", "")) for end in text.split(" (")[0].split(" to ")] for what, text in lines.items()
    }
    low, high = ends["repeat purchases per customer"]
    assert low < 1 / 3 and high > 12  # once in several years; more than once a month
    low, high = ends["share still a customer after the year"]
    assert low < 0.05 and high > 0.8  # nearly all lost; eight in ten kept
    low, high = ends["mean amount of a purchase, USD"]
    assert low < 1 and high > 2000
