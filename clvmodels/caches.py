"""Where the compilers keep what they have compiled: in their own folders, or in a temporary one where those cannot be
written to, as in a container without a home or of a package that is installed for reading only.

PyTensor and Numba read these settings when they are imported, so this stands before any of them is.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PYTENSOR, NUMBA = "PYTENSOR_FLAGS", "NUMBA_CACHE_DIR"
_COMPILED_IN = "base_compiledir"


def use_writable_caches() -> None:
    """Give PyTensor and Numba a folder that they can write to, unless they have one or the environment names it."""
    flags = os.environ.get(PYTENSOR, "")
    if _COMPILED_IN not in flags and not _can_write(_home() / ".pytensor"):
        stated = [flags] if flags else []
        os.environ[PYTENSOR] = ",".join([*stated, f"{_COMPILED_IN}={_temporary() / 'pytensor'}"])
    beside_the_code = Path(__file__).parent / "__pycache__"
    if NUMBA not in os.environ and not _can_write(beside_the_code) and not _can_write(_home() / ".cache" / "numba"):
        os.environ[NUMBA] = str(_temporary() / "numba")


def _home() -> Path:
    """The folder of the user; one that there is not, where nobody knows it."""
    named = os.environ.get("HOME")
    try:
        return Path(named) if named else Path.home()
    except RuntimeError:  # a user without an entry, as containers have them
        return Path("/nonexistent")


def _can_write(folder: Path) -> bool:
    """Whether a file can be made in a folder, which is made too. (Permissions alone do not tell: of a superuser they
    allow what a file system that is for reading only does not.)"""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _temporary() -> Path:
    """A folder of this user's alone, the same for the next process: what is read from it is run."""
    owner = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"clvmodels-{owner}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    is_own = not hasattr(os, "getuid") or (state.st_uid == os.getuid() and not state.st_mode & 0o022)
    return folder if is_own and not folder.is_symlink() else Path(tempfile.mkdtemp(prefix="clvmodels-"))
