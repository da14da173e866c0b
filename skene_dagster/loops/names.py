"""Names of loops and steps: they become job, group, asset and op names of Dagster, and keys of the ledger."""

import keyword
import re

LONGEST = 48

# Dagster, 2026-11: a node or a group of one of these names is refused (dagster/_core/definitions/utils.py).
_RESERVED_BY_DAGSTER = {
    *("arg_dict", "bool", "conf", "config", "context", "dict", "float", "input", "input_arg_dict", "int", "meta"),
    *("output", "output_arg_dict", "str", "type"),
}


def fault_of_name(name: str) -> str:
    """Say what is wrong with the name of a loop or step; empty if nothing is."""
    if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) is None:
        return "Write lower-case letters, digits and single underscores, a letter first: win_back."
    if len(name) > LONGEST:
        return f"Write at most {LONGEST} characters."
    if keyword.iskeyword(name):
        return "It is a Python keyword; choose another."
    if name in _RESERVED_BY_DAGSTER:
        return "It is reserved by Dagster; choose another."
    return ""
