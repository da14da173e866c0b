"""Which domains belong together: by the public suffix list, as DMARC has it."""

from functools import lru_cache

from publicsuffixlist import PublicSuffixList

LONGEST_DOMAIN = 253
"""Characters of a domain, as DNS has it."""


def organizational(domain: str) -> str:
    """Return the domain that somebody registered: `example.co.uk` of `mail.example.co.uk`."""
    return _list().privatesuffix(ascii_domain(domain)) or ascii_domain(domain)


def are_aligned(one: str, other: str, *, strict: bool) -> bool:
    """Whether DMARC takes two domains for one sender's."""
    one, other = ascii_domain(one), ascii_domain(other)
    if not one or not other:
        return False
    return one == other or (not strict and organizational(one) == organizational(other))


def ascii_domain(domain: str) -> str:
    """Return a domain as DNS has it, in small letters; one that is none as it is."""
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


@lru_cache(maxsize=1)
def _list() -> PublicSuffixList:
    # It is read from the package: 0.1 s, and no network.
    return PublicSuffixList()
