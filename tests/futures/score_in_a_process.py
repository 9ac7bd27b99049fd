"""Run by test_forecast in a process of its own: the digest of every number of every registered model."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    from contracts.cases import CASES, customers_of, pair_of, simulated
    from contracts.line import digest_of, every_number_of

    for name in sys.argv[1:]:
        table = simulated(CASES[name], size=37)
        print(name, digest_of(every_number_of(*pair_of(CASES[name], 64), customers_of(table), 64)))


if __name__ == "__main__":
    main()
