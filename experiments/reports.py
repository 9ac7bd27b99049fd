"""The committed reports: rebuild their pages and drawings from their stored folders alone, and say what changes.

    python experiments/reports.py [--check]

A change of words, of a figure or of the page's look changes committed reports without changing a number in them. The
difference is told as a reader would see it: words and tables line by line; of drawings and markup how many bytes.
Nothing is sampled. `--check` writes nothing and fails where something differs. A folder that lacks what its page shows
is refused: its experiment has to be run again.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from clvmodels.errors import Problem, ResultsError
from clvmodels.figures import FIGURES
from clvmodels.report.page import build
from clvmodels.report.stored import read

REPORTS = Path(__file__).parents[1] / "reports"
PAGE = "report.html"
MOST_LINES = 60
"""Of one page's words; more of them are counted."""
BLOCKS = {"title", "h1", "h2", "h3", "p", "li", "tr", "dt", "dd", "summary", "figcaption", "pre", "section", "text"}
CELLS = {"td", "th"}


def committed() -> list[Path]:
    """The folders of `reports` that hold a report."""
    return sorted(path.parent for path in REPORTS.glob(f"*/{PAGE}"))


def stored(folder: Path) -> dict[str, str]:
    """The page and the drawings as they are stored, by path in the folder."""
    paths = [folder / PAGE, *sorted((folder / "figures").glob("*.svg"))]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def rebuilt(folder: Path) -> dict[str, str]:
    """The same, made from the folder's run.json and tables.

    Raises
    ------
    ResultsError
        Where run.json or a table is missing of what the stored page shows.
    """
    page, drawings = build(read(folder))
    before = (folder / PAGE).read_text(encoding="utf-8")
    lost = [name for name in FIGURES if f'id="{name}"' in before and f'id="{name}"' not in page]
    if lost:
        known = "Run the experiment again, or bring it back"
        raise ResultsError(
            [Problem(f"no table of '{name}', which the page shows", str(folder), known=known) for name in lost]
        )
    return {PAGE: page} | {f"figures/{name}": text for name, text in drawings.items()}


def difference(before: dict[str, str], after: dict[str, str]) -> str:
    """What differs between two versions of a report, as a reader sees it; empty where every byte is the same."""
    lines = [] if before[PAGE] == after[PAGE] else _difference_of_pages(before[PAGE], after[PAGE])
    drawings = sorted((before.keys() | after.keys()) - {PAGE})
    lines += [
        f"{name}: {_bytes_apart(before.get(name, ''), after.get(name, ''))}"
        for name in drawings
        if before.get(name) != after.get(name)
    ]
    return "\n".join(lines)


def _difference_of_pages(before: str, after: str) -> list[str]:
    lines = _lines_apart(words_of(before), words_of(after))
    more = [f"... and {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
    rest = [
        f"{PAGE}, {part}: {_bytes_apart(_only(before, pattern), _only(after, pattern))}"
        for part, pattern in (("drawings", r"<svg.*?</svg>"), ("style", r"<style>.*?</style>"))
        if _only(before, pattern) != _only(after, pattern)
    ]
    if not lines and not rest:
        rest = [f"{PAGE}, markup: {_bytes_apart(before, after)}"]
    return [*lines[:MOST_LINES], *more, *rest]


def _only(page: str, pattern: str) -> str:
    return "".join(re.findall(pattern, page, re.DOTALL))


def _bytes_apart(before: str, after: str) -> str:
    """How many bytes of two texts stand in lines or tags that the other has not."""
    if not before or not after:
        return f"{'added' if after else 'gone'}, {len((before or after).encode()):,} bytes"
    apart = _lines_apart(*(re.split(r"(?<=>)|\n", text) for text in (before, after)))
    return f"{sum(len(line[1:].encode()) for line in apart):,} bytes differ"


def _lines_apart(before: list[str], after: list[str]) -> list[str]:
    """The lines that only one of two texts has, - before and + after."""
    lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]  # the first two name the files
    return [line for line in lines if not line.startswith("@@")]


def words_of(page: str) -> list[str]:
    """A page's words as a reader sees them: a line a paragraph, a row of a table or a word in a drawing."""
    reader = _Reader()
    reader.feed(page)
    return list(reader.lines())


class _Reader(HTMLParser):
    """Gathers words by block; cells of a row are set apart by bars."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[list[str]] = [[]]
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag == "style"
        if tag in BLOCKS:
            self.blocks.append([])
        if tag in CELLS and self.blocks[-1]:
            self.blocks[-1].append(" | ")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag == "style"
        if tag in BLOCKS:
            self.blocks.append([])

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.blocks[-1].append(data)

    def lines(self) -> Iterator[str]:
        for block in self.blocks:
            line = " ".join("".join(block).split())
            if line:
                yield line


def write(folder: Path, files: dict[str, str]) -> None:
    """Put a rebuilt report in the stored one's place; drawings that are no longer made go."""
    for path in (folder / "figures").glob("*.svg"):
        if f"figures/{path.name}" not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def main() -> int:
    """Tell what differs, and write it; or only check, and the exit status says whether all is the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where something differs")
    arguments = parser.parse_args()
    try:
        reports = {folder: rebuilt(folder) for folder in committed()}
    except ResultsError as error:
        print(error, file=sys.stderr)
        return 2
    differences = {folder: difference(stored(folder), files) for folder, files in reports.items()}
    for folder, text in differences.items():
        print(f"{folder.name}: differs\n{text}" if text else f"{folder.name}: the same to the last byte")
    if arguments.check:
        return 1 if any(differences.values()) else 0
    for folder, files in reports.items():
        write(folder, files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
