"""The version of the code that a stored study speaks of: a hash of what Python runs, wherever it stands.

It is made of the set of top-level statements (functions, classes, assignments) of all modules that a study rests on,
each without imports, annotations, docstrings, comments and texts for people. So a file may be moved or split, and words
rewritten, and the version stays. Code that is written otherwise has another version even where it computes the same
numbers: `stored.confirm` replays some seeds with it and says whether it does.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path

from clvmodels.models import Model

MODELS = "clvmodels.models"
FIT = "clvmodels.inference"
NUTS = "clvmodels.inference.samplers.nuts"
NOT_OF_LAPLACE = (NUTS, "clvmodels.inference.choice_of_k")
HISTORIES = ("clvmodels.futures", "clvmodels.randomness", "clvmodels.variates")
KEYED = ("KeyedRandom", "keyed_generator", "stream")
"""Calls whose texts are keys of random streams: another key draws other numbers, so these texts are code."""


def version_of(files: Iterable[Path]) -> str:
    """sha256 of the code of these files, in whatever order and however divided among them. First 16 digits."""
    statements = set[str]().union(*(statements_of(file.read_text(encoding="utf-8")) for file in files))
    return hashlib.sha256("\n\n".join(sorted(statements)).encode()).hexdigest()[:16]


@cache
def statements_of(source: str) -> frozenset[str]:
    """The top-level statements of a file, bare of all that Python does not run."""
    bare = _Bare().visit(ast.parse(source))
    return frozenset(ast.unparse(statement) for statement in bare.body)


def files_of(name: str) -> set[Path]:
    """The file of a module, or all files of a package.

    Raises
    ------
    ModuleNotFoundError
        Where there is none of that name: it was moved, and the study has to say where to.
    """
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:  # its package is missing
        spec = None
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"A stored study rests on {name}, and there is no such module: name where it is now")
    if spec.submodule_search_locations is None:
        return {Path(spec.origin)}
    return {file for folder in spec.submodule_search_locations for file in Path(folder).rglob("*.py")}


def files_of_all(names: Iterable[str]) -> set[Path]:
    """The files of several modules or packages."""
    return set[Path]().union(*(files_of(name) for name in names))


def files_of_fits(models: Iterable[Model]) -> set[Path]:
    """All that fits of these models to simulated histories rest on: the models, the simulator of histories and of
    individuals, and inference by laplace, without NUTS and the choice of regularity."""
    of_models = set[Path]().union(*(files_of_model(model) for model in models))
    return of_models | files_of_all(HISTORIES) | (files_of(FIT) - files_of_all(NOT_OF_LAPLACE))


def files_of_model(model: Model) -> set[Path]:
    """The module that makes a model, and all of `clvmodels.models` that it imports, directly or not."""
    waiting = [module_of(model)]
    files: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        if name not in files:
            files[name] = _file_of(name)
            waiting += _imported_models(name, files[name])
    return set(files.values())


def module_of(model: Model) -> str:
    """The name of the module that makes a model: of those in which it stands, the one that assigns it."""
    for name, module in sorted(sys.modules.items()):
        if not name.startswith(f"{MODELS}.") or all(value is not model for value in vars(module).values()):
            continue
        for statement in ast.parse(_file_of(name).read_text(encoding="utf-8")).body:
            targets = [ast.unparse(target) for target in _targets(statement)]
            if any(getattr(module, target, None) is model for target in targets):
                return name
    raise ModuleNotFoundError(f"No module of {MODELS} assigns the model {model.name!r}")


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.AnnAssign):
        return [statement.target]
    return statement.targets if isinstance(statement, ast.Assign) else []


def _file_of(name: str) -> Path:
    """The file of a module; of a package its own, without its members."""
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None, name
    return Path(spec.origin)


def _imported_models(name: str, file: Path) -> set[str]:
    """The modules of `clvmodels.models` that a module's file imports, by `from a import module` too."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    modules = set[str]()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                member = f"{source}.{alias.name}"
                modules.add(member if _is_module_of_models(member) else source)
    return {module for module in modules if _is_module_of_models(module)}


def _is_module_of_models(name: str) -> bool:
    if name != MODELS and not name.startswith(f"{MODELS}."):
        return False
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the name of something that a module holds
        return False


class _Bare(ast.NodeTransformer):
    """Takes away what Python does not run, where statements stand, and what is written for people."""

    def __init__(self) -> None:
        self.fields: set[ast.AnnAssign] = set()

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """A text alone on its lines is a docstring, of a module, a function, or the name above it."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """`if TYPE_CHECKING:` holds imports alone, and goes with them."""
        self.generic_visit(node)
        return _filled(node) if node.body or node.orelse else None

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        """What a module offers (`__all__`) changes with where its members stand."""
        return None if ast.unparse(node.targets[0]) == "__all__" else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node in self.fields:
            node.annotation = ast.Constant(0)
            return self.generic_visit(node)
        if node.value is None:
            return None
        return self.generic_visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return _filled(self.generic_visit(node))

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """That a name is annotated makes it a field: it stays one, with or without its default."""
        self.fields.update(statement for statement in node.body if isinstance(statement, ast.AnnAssign))
        return _filled(self.generic_visit(node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        keyed = ast.unparse(node.func).rpartition(".")[2] in KEYED
        return node if keyed else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if isinstance(node.value, str) and " " in node.value else node


def _filled(node: ast.AST) -> ast.AST:
    """The node with `pass` where nothing is left of its body."""
    node.body = node.body or [ast.Pass()]
    return node
