"""Fixtures shared by all tests: where the real data lies, and what skips without it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from fakes.shared import FOLDER

# Before NumPy is loaded, here and in the processes that tests start: the workers of a run share the cores, and two
# threads that wait for each other at every small matrix took up to thirty times the time of one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if FOLDER not in os.environ:  # workers find it there
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="clvmodels-tests-")
    atexit.register(shutil.rmtree, os.environ[FOLDER], ignore_errors=True)


def _shared_folder() -> Path | None:
    named = os.environ.get("CLVMODELS_DATA")
    candidates = [Path(named)] if named else [Path(__file__).parents[2] / "shared" / "data"]
    return next((folder.resolve() for folder in candidates if folder.is_dir()), None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept-drawings", action="store_true", help="store figures as they are drawn now")


@pytest.fixture
def accept_drawings(request: pytest.FixtureRequest) -> bool:
    """Whether drawings are stored instead of compared."""
    return bool(request.config.getoption("--accept-drawings"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data: CLVMODELS_DATA, or ../shared/data beside the repository."""
    folder = _shared_folder()
    if folder is None:
        pytest.skip("the real data is absent: set CLVMODELS_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def shared_reference(shared_data: Path) -> Path:
    """Values of established software on the same data; lies beside the data folder."""
    folder = shared_data.parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"the reference values are absent: no folder {folder}")
    return folder
