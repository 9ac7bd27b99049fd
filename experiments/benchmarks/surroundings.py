"""What a measurement depends on beside the code: the machine, the versions, the other libraries' environment."""
# ruff: noqa: T201  (of a command: it says what takes two minutes)

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
PEERS_FOLDER = HERE.parents[1] / ".venv-peers"
PEERS_PINNED = HERE / "peers.txt"
OUR_PACKAGES = (
    "clvmodels",
    "pymc",
    "pytensor",
    "numba",
    "nutpie",
    "numpy",
    "scipy",
    "pandas",
    "duckdb",
    "ibis-framework",
)
PEERS_PACKAGES = ("pymc-marketing", "lifetimes", "pymc", "pytensor", "numba", "nutpie", "numpy", "scipy", "pandas")


@cache
def peers_python() -> Path:
    """The Python of the other libraries, in an environment that is made where it is not as peers.txt says.

    Raises
    ------
    SystemExit
        They cannot be installed; with what to do.
    """
    python, ready = PEERS_FOLDER / "bin" / "python", PEERS_FOLDER / ".ready"
    pinned = PEERS_PINNED.read_text("utf-8")
    if ready.exists() and ready.read_text("utf-8") == pinned:
        return python
    print(f"Setting up {PEERS_FOLDER.name} with the libraries of {PEERS_PINNED.name}, about two minutes", flush=True)
    _do([sys.executable, "-m", "venv", "--clear", str(PEERS_FOLDER)])
    _do([str(python), "-m", "pip", "install", "--quiet", "-r", str(PEERS_PINNED)])
    ready.write_text(pinned, "utf-8")
    return python


def _do(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr)
        raise SystemExit(
            "The libraries to compare with could not be installed, and without them no ratio is known.\n"
            f"The command was: {' '.join(command)}\n"
            "Mend what it says above and run this again: it goes on where it was."
        )


@cache
def machine() -> str:
    """The machine as rows name it: processor, cores, system."""
    return f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB, {platform.system()} {platform.machine()}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3


@cache
def our_versions() -> str:
    """Of what clvmodels computes with."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in OUR_PACKAGES)])


@cache
def peers_versions() -> str:
    """Of the other libraries and of what they compute with."""
    names = json.dumps(PEERS_PACKAGES)
    code = f"import importlib.metadata as m, json; print(*(f'{{n}} {{m.version(n)}}' for n in {names}), sep=', ')"
    done = subprocess.run([peers_python(), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
