"""What something was and is, in as few words as say it."""


def turned(before: str, after: str) -> str:
    """Say what something was and is, what both begin with once: `dormant for 30d → 21d`; empty if it is the same."""
    if before == after:
        return ""
    old, new = before.split(" "), after.split(" ")
    same = 0
    while same < min(len(old), len(new)) - 1 and old[same] == new[same]:
        same += 1
    return f"{before} → {' '.join(new[same:])}"
