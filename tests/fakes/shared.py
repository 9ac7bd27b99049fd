"""What takes long to make and is not changed by tests: made once for all workers of a run, by the first that asks."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

FOLDER = "CLVMODELS_TESTS_SHARED"
"""Names the folder of one run of the tests; set by the process that began it, and removed with it (`conftest.py`)."""


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """The folder of that name, filled by `make` where no worker has done so yet; not to be changed."""
    folder = Path(os.environ[FOLDER]) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
        if not folder.exists():
            # under another name until it is whole: a test that failed half-way leaves nothing behind
            unfinished = Path(tempfile.mkdtemp(prefix=name, dir=folder.parent))
            try:
                make(unfinished)
            except BaseException:
                shutil.rmtree(unfinished)
                raise
            unfinished.rename(folder)
    return folder
