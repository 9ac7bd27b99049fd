"""The version of the code that a stored recovery run speaks of: a hash that comments and docstrings do not change."""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "clvmodels"
SILENT = (tokenize.COMMENT, tokenize.NL)
OPENS = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


def code_version(model: str) -> str:
    """sha256 of the model's file, the model files it imports, and the simulator of histories. First 16 digits."""
    files = sorted({*model_files(model), PACKAGE / "histories.py"})
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\n{code_of(file)}\n".encode())
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
    """The file's tokens without comments, docstrings and layout."""
    kept, before = [], tokenize.ENCODING
    for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline):
        if token.type in SILENT:
            continue
        alone = token.type == tokenize.STRING and before in OPENS
        if not alone:
            kept.append(token.string if token.string.strip() else tokenize.tok_name[token.type])
        before = token.type
    return " ".join(kept)
