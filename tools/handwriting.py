"""How dense a Python code base is written: a mirror, not a limit.

    python tools/handwriting.py FOLDER [FOLDER ...] [--worst N] [--vague N]

prints one row a folder. What is counted:

Code line
    A line that holds code: not blank, not only a comment, not a part of a docstring.
Syntax nodes a line
    The nodes of ``ast.walk`` over the body of a function without its docstring, operators and the Load, Store and Del
    contexts included, divided by the code lines of the function from ``def`` to its end. Functions inside count for
    themselves and for the function around them. The column is the median over all functions.
Comprehensions and ternaries a 1,000 lines
    Those inside functions, a 1,000 code lines of functions: tables of constants and imports do not thin them out.
    A generator expression is a comprehension.
Comments a 1,000 lines
    Comments that are not directives (``fmt:``, ``noqa``, ``type:`` and the like), a 1,000 lines that are not blank,
    docstrings included.
Formatter off
    The number of ``fmt: skip`` and ``fmt: off``.
Vague names, %
    The share of names in ``VAGUE_NAMES`` among all names that the code binds itself: functions, classes, arguments,
    variables, loop targets, attributes of classes and of ``self``, each once in its module, class or function. Imports,
    ``self``, ``cls``, ``_`` and ``__names__`` are left out. A name is vague as a whole, whatever its case and outer
    underscores: ``found`` and ``_found`` are, ``found_rows`` is not.
"""

import argparse
import ast
import io
import re
import statistics
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Words that say nothing of what they hold: participles without a noun, pronouns, question words, fillers.
VAGUE_WORDS = """
    asked drawn found given got held judged kept known made said seen shown taken told wanted
    also back both each every how more one other others own rest same several them what when where whole
    data foo info item obj res result stuff temp thing things tmp val
"""
VAGUE_NAMES = frozenset(VAGUE_WORDS.split())
NOT_CHOSEN = frozenset({"self", "cls", "_"})

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.ClassDef)
DOCUMENTED = (*SCOPES, ast.Module)
LAYOUT_TOKENS = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)

DIRECTIVE = re.compile(r"#\s*(fmt:|noqa|type:|pragma|ruff:|isort:|mypy:|pyright:|pylint:|flake8:|-\*-)|#!")
FORMATTER_OFF = re.compile(r"#\s*fmt:\s*(skip|off)\b")

HEADINGS = (
    "folder",
    "syntax nodes a line",
    "comprehensions a 1,000 lines",
    "ternaries a 1,000 lines",
    "comments a 1,000 lines",
    "formatter off",
    "vague names, %",
)


class FolderError(Exception):
    """A folder that cannot be measured; the message is for the person at the keyboard."""


@dataclass(frozen=True)
class Function:
    """The size of one function."""

    place: str
    name: str
    nodes: int
    lines: int

    @property
    def density(self) -> float:
        return self.nodes / self.lines


@dataclass(frozen=True)
class BoundName:
    """One name that the code binds, and the first place where it does."""

    place: str
    name: str

    @property
    def is_vague(self) -> bool:
        return self.name.strip("_").lower() in VAGUE_NAMES


@dataclass
class Counts:
    """What is counted in one folder."""

    functions: list[Function] = field(default_factory=list)
    names: list[BoundName] = field(default_factory=list)
    written_lines: int = 0
    function_lines: int = 0
    comprehensions: int = 0
    ternaries: int = 0
    comments: int = 0
    formatter_off: int = 0

    @property
    def vague_names(self) -> list[BoundName]:
        return [name for name in self.names if name.is_vague]


class Source:
    """One Python file: its tokens, its syntax tree, the lines that are not blank and those that hold code."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with tokenize.open(path) as file:
                text = file.read()
            self.tree = ast.parse(text, filename=str(path))
            self.tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        except (OSError, SyntaxError, UnicodeDecodeError, tokenize.TokenError) as error:
            raise FolderError(f"cannot read {path} as Python: {error}") from error
        self.written_lines = {number for number, line in enumerate(text.split("\n"), start=1) if line.strip()}
        self.code_lines = self._code_lines()

    def _code_lines(self) -> set[int]:
        docstring_lines = self._docstring_lines()
        numbers: set[int] = set()
        for token in self.tokens:
            is_docstring = token.type == tokenize.STRING and token.start[0] in docstring_lines
            if token.type not in LAYOUT_TOKENS and not is_docstring:
                numbers.update(range(token.start[0], token.end[0] + 1))
        return numbers & self.written_lines

    def _docstring_lines(self) -> set[int]:
        numbers: set[int] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, DOCUMENTED) and has_docstring(node):
                numbers.update(lines_of(node.body[0]))
        return numbers

    def comments(self) -> list[str]:
        return [token.string for token in self.tokens if token.type == tokenize.COMMENT]

    def place(self, line: int) -> str:
        return f"{self.path}:{line}"


def has_docstring(node: ast.AST) -> bool:
    return ast.get_docstring(node, clean=False) is not None


def lines_of(node: ast.AST) -> range:
    """The numbers of the lines from the first to the last of a node."""
    return range(node.lineno, node.end_lineno + 1)


def measure_folder(folder: Path) -> Counts:
    """Count everything in the Python files of a folder and the folders below it.

    Parameters
    ----------
    folder
        Files in hidden folders below it, such as ``.venv``, are left out.

    Raises
    ------
    FolderError
        There is no such folder, it holds no function in Python, or a file in it cannot be read.
    """
    if not folder.is_dir():
        raise FolderError(f"there is no folder {folder}")
    counts = Counts()
    for path in python_files(folder):
        add_file(counts, Source(path))
    if not counts.functions:
        raise FolderError(f"no function in a Python file of {folder}: nothing to measure")
    return counts


def python_files(folder: Path) -> list[Path]:
    paths = []
    for path in sorted(folder.rglob("*.py")):
        if path.is_file() and not is_hidden(path.relative_to(folder)):
            paths.append(path)
    return paths


def is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def add_file(counts: Counts, source: Source) -> None:
    counts.written_lines += len(source.written_lines)
    counts.names.extend(bound_names(source))
    add_comments(counts, source)
    add_functions(counts, source)


def add_comments(counts: Counts, source: Source) -> None:
    for comment in source.comments():
        if not DIRECTIVE.match(comment):
            counts.comments += 1
        if FORMATTER_OFF.search(comment):
            counts.formatter_off += 1


def add_functions(counts: Counts, source: Source) -> None:
    inside: set[int] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, FUNCTIONS):
            counts.functions.append(measure_function(node, source))
            inside.update(lines_of(node))
    counts.function_lines += len(inside & source.code_lines)
    for node in ast.walk(source.tree):
        if isinstance(node, COMPREHENSIONS) and node.lineno in inside:
            counts.comprehensions += 1
        if isinstance(node, ast.IfExp) and node.lineno in inside:
            counts.ternaries += 1


def measure_function(node: ast.FunctionDef | ast.AsyncFunctionDef, source: Source) -> Function:
    statements = node.body
    if has_docstring(node):
        statements = node.body[1:]
    nodes = sum(count_nodes(statement) for statement in statements)
    lines = len(source.code_lines.intersection(lines_of(node)))
    return Function(source.place(node.lineno), node.name, nodes, lines)


def count_nodes(node: ast.AST) -> int:
    return sum(1 for _ in ast.walk(node))


def bound_names(source: Source) -> list[BoundName]:
    """Every name that a file binds, once in each module, class or function, in the order of the lines."""
    first_lines: dict[tuple[ast.AST, str], int] = {}
    for scope, name, line in bindings(source.tree, source.tree):
        if name in NOT_CHOSEN or is_dunder(name):
            continue
        key = (scope, name)
        first_lines[key] = min(line, first_lines.get(key, line))
    ordered = sorted(first_lines.items(), key=lambda entry: entry[1])
    return [BoundName(source.place(line), name) for (_, name), line in ordered]


def is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def bindings(node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, str, int]]:
    """Walk the tree below a node: the scope, the name and the line of every binding.

    A comprehension and a lambda bind in the function around them.
    """
    for child in ast.iter_child_nodes(node):
        name = name_bound_by(child)
        if name is not None:
            yield scope, name, child.lineno
        if isinstance(child, SCOPES):
            yield from bindings(child, child)
        else:
            yield from bindings(child, scope)


def name_bound_by(node: ast.AST) -> str | None:
    """The name that this very node binds, if any."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.arg(arg=name):
            return name
        case ast.Name(id=name, ctx=ast.Store()):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
            return name
        case ast.MatchMapping(rest=name):
            return name
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
            return name
    return None


def table_row(folder: Path, counts: Counts) -> tuple[str, ...]:
    density = statistics.median(function.density for function in counts.functions)
    vague_share = 100 * len(counts.vague_names) / len(counts.names)
    return (
        str(folder),
        f"{density:.1f}",
        f"{1000 * counts.comprehensions / counts.function_lines:.0f}",
        f"{1000 * counts.ternaries / counts.function_lines:.0f}",
        f"{1000 * counts.comments / counts.written_lines:.0f}",
        str(counts.formatter_off),
        f"{vague_share:.1f}",
    )


def format_table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A markdown table with aligned columns: the first to the left, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
    rule = ["-" * widths[0]]
    for width in widths[1:]:
        rule.append("-" * (width - 1) + ":")
    lines = [format_row(headings, widths), format_row(tuple(rule), widths)]
    for row in rows:
        lines.append(format_row(row, widths))
    return "\n".join(lines)


def format_row(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [row[0].ljust(widths[0])]
    for text, width in zip(row[1:], widths[1:], strict=True):
        cells.append(text.rjust(width))
    return "| " + " | ".join(cells) + " |"


def format_worst(folder: Path, counts: Counts, number: int) -> str:
    """The functions with the most syntax nodes a line."""
    lines = [f"{folder}: functions with the most syntax nodes a line"]
    densest = sorted(counts.functions, key=lambda function: function.density, reverse=True)
    for function in densest[:number]:
        lines.append(f"  {function.place} {function.name} {function.density:.1f}")
    return "\n".join(lines)


def format_vague(folder: Path, counts: Counts, number: int) -> str:
    """The most frequent vague names, how many scopes bind them, and the first place of each."""
    lines = [f"{folder}: the most frequent vague names"]
    first_places: dict[str, str] = {}
    for bound in counts.vague_names:
        first_places.setdefault(bound.name, bound.place)
    frequencies = Counter(bound.name for bound in counts.vague_names)
    for name, count in frequencies.most_common(number):
        lines.append(f"  {name} {count} {first_places[name]}")
    return "\n".join(lines)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How dense a Python code base is written: a mirror, not a limit.")
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("clvmodels")], metavar="FOLDER")
    parser.add_argument("--worst", type=at_least_one, metavar="N", help="list the N functions with most nodes a line")
    parser.add_argument("--vague", type=at_least_one, metavar="N", help="list the N most frequent vague names")
    return parser.parse_args(arguments)


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def report(options: argparse.Namespace) -> str:
    counted = [(folder, measure_folder(folder)) for folder in options.folders]
    blocks = [format_table(HEADINGS, [table_row(folder, counts) for folder, counts in counted])]
    for folder, counts in counted:
        if options.worst:
            blocks.append(format_worst(folder, counts, options.worst))
        if options.vague:
            blocks.append(format_vague(folder, counts, options.vague))
    return "\n\n".join(blocks) + "\n"


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        sys.stdout.write(report(options))
    except FolderError as error:
        sys.stderr.write(f"handwriting: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
