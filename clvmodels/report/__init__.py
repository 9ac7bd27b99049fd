"""The report: one self-contained HTML file without JavaScript, made from a stored results folder alone."""

from __future__ import annotations

from pathlib import Path

from clvmodels.report.page import build
from clvmodels.report.stored import read

__all__ = ["write_report"]


def write_report(folder: Path | str) -> Path:
    """Write report.html and figures/*.svg into a results folder, from its run.json and tables/*.csv.

    Two builds from one folder are byte-identical.

    Parameters
    ----------
    folder
        A results folder.

    Returns
    -------
    pathlib.Path
        The report.

    Raises
    ------
    ResultsError
        If run.json or all tables are missing or are not what a run writes.
    """
    folder = Path(folder)
    page, drawings = build(read(folder))
    (folder / "figures").mkdir(exist_ok=True)
    for name, text in drawings.items():
        (folder / "figures" / name).write_text(text, encoding="utf-8", newline="\n")
    report = folder / "report.html"
    report.write_text(page, encoding="utf-8", newline="\n")
    return report
