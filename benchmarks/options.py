"""The options of those benchmarks that run on a table of users of any size."""

import argparse
from collections.abc import Mapping


def parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser that knows --quick, --users and --only."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--quick", action="store_true", help="a small table, one round")
    options.add_argument("--users", type=int, nargs="+", metavar="N", help="how many, multiples of 1,000; one round")
    options.add_argument("--only", help="this database alone: SQLite, MariaDB or TiDB")
    return options


def populations(chosen: argparse.Namespace, usual: Mapping[int, int], *, rounds: int = 1) -> Mapping[int, int]:
    """Say how many rounds are run with how many users.

    Args:
        rounds: with each number that is asked for by --users.
    """
    return {10_000: 1} if chosen.quick else dict.fromkeys(chosen.users, rounds) if chosen.users else usual
