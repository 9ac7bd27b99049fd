"""The version of the code that a stored calibration speaks of: a hash that words for people do not change."""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "clvmodels"
PROFIT_STUDY = ("run_profit.py", "simulated_company.py")
PROFIT_MODELS = (
    "bg_nbd",
    "gamma_gamma",
    "returns",
    "bad_debt",
    "gamma_poisson",
    "lognormal_handling",
    "normal_margin",
)
VALUE = ("economics.py", "newcomers.py", "profit.py", "retention.py", "simulation.py", "value.py")
SILENT = (tokenize.COMMENT, tokenize.NL)


def code_version(model: str) -> str:
    """sha256 of all that a calibration rests on: the model, the simulator of histories, the fit. First 16 digits."""
    return version_of({*model_files(model), *_of_histories_and_fit()})


def version_of_profit() -> str:
    """The same of all that the calibration of the value rests on: its models, the value, and the study's simulator."""
    models = set().union(*(model_files(file) for file in PROFIT_MODELS))
    study = {Path(__file__).parent / name for name in PROFIT_STUDY}
    return version_of({*models, *_of_histories_and_fit(), *(PACKAGE / name for name in VALUE), *study})


def _of_histories_and_fit() -> set[Path]:
    fit = {PACKAGE / "density.py", *(PACKAGE / "inference").glob("*.py")} - {PACKAGE / "inference" / "nuts.py"}
    return {PACKAGE / "histories.py", *fit}


def version_of(files: set[Path]) -> str:
    """sha256 of the code of these files. First 16 digits."""
    digest = hashlib.sha256()
    for file in sorted(files):
        above = PACKAGE if file.is_relative_to(PACKAGE) else PACKAGE.parent
        digest.update(f"{file.relative_to(above).as_posix()}\n{code_of(file)}\n".encode())
    return digest.hexdigest()[:16]


def model_files(model: str) -> set[Path]:
    """The model's file and all that it imports from `clvmodels.models`, directly or not."""
    found, waiting = set(), [PACKAGE / "models" / f"{model}.py"]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clvmodels.models."):
                waiting.append(PACKAGE / "models" / f"{node.module.rsplit('.', 1)[1]}.py")
    return found


def code_of(file: Path) -> str:
    """The file's tokens without comments, layout, annotations, and texts in which there is a space: docstrings,
    titles, meanings."""
    kept = []
    for token in tokenize.generate_tokens(
        io.StringIO(ast.unparse(_Bare().visit(ast.parse(file.read_text())))).readline
    ):
        words = token.type == tokenize.STRING and " " in token.string
        if token.type not in SILENT and not words:
            kept.append(token.string if token.string.strip() else tokenize.tok_name[token.type])
    return " ".join(kept)


class _Bare(ast.NodeTransformer):
    """Takes away what Python does not run: annotations, and what is imported for them."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.annotation = ast.Constant(0)  # the field of a class stays, and whether it has a default
        self.generic_visit(node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        return None if node.module in ("__future__", "typing", "collections.abc") else node
