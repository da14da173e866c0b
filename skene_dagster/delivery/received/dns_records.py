"""Texts in DNS, asked of the resolver that this machine is set up with."""

import dns.exception
import dns.resolver

PATIENCE = 5.0
"""Seconds for one name, whatever servers are asked."""


class DnsUnreachable(Exception):
    """There was no answer: neither that there is a text, nor that there is none."""


def texts(name: str) -> list[str]:
    """List the TXT records of a name; none, too, where it is no name.

    Raises:
        DnsUnreachable: nobody answered.
    """
    try:
        answer = dns.resolver.resolve(f"{name.rstrip('.')}.", "TXT", lifetime=PATIENCE, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.Timeout, dns.resolver.NoNameservers, dns.resolver.NoResolverConfiguration, OSError) as error:
        raise DnsUnreachable(f"DNS did not answer about {name[:255]}") from error
    except dns.exception.DNSException:
        # A label that is too long, or empty.
        return []
    return [b"".join(record.strings).decode("utf-8", errors="replace") for record in answer]
