"""Variants of an email: which there are, in which shares, and the email in one of them."""

from collections.abc import Sequence
from dataclasses import replace

from skene_dagster.loops.all_loops import Compared
from skene_dagster.loops.plan import Email

Shares = Sequence[tuple[str, float]]
"""The name of each variant, and its share of those who are mailed, in the author's order; together they are 1."""


def variants_of(plan: Compared) -> Shares:
    """List the variants of a loop's emails: of each that has any they are the same."""
    emails = (step.email for step in plan.steps)
    return next((email.variants for email in emails if email is not None and email.variants), ())


def in_variant(email: Email, variant: str | None) -> Email:
    """Return the email in one of its variants, whose template is `<template>.<variant>`."""
    if not email.variants or variant is None:
        return email
    utm = email.utm and email.utm.of(f"{dict(email.utm.parameters)['utm_content']}.{variant}")
    return replace(email, template=f"{email.template}.{variant}", utm=utm)


def in_each(email: Email) -> list[Email]:
    """List the email in each of its variants; itself, if it has none."""
    return [in_variant(email, name) for name, _ in email.variants] or [email]


def drawn(variants: Shares, toss: float) -> str | None:
    """Say into which variant a toss falls; None: there are none.

    Args:
        toss: from 0 to below 1.
    """
    reached = 0.0
    for name, share in variants:
        reached += share
        if toss < reached:
            return name
    # The shares may add up to a little less than 1.
    return variants[-1][0] if variants else None
