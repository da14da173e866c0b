"""Names with `*` in them, as the database compares them."""


def like(pattern: str) -> str:
    """Translate a pattern, whose `*` matches anything, for LIKE with the escape `!`."""
    for special in "!%_":
        pattern = pattern.replace(special, f"!{special}")
    return pattern.replace("*", "%")
