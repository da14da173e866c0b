"""The providers of email, by the names that files call them by. What each of them is, `delivery/providers` says."""

from typing import Literal, TypeAlias

ProviderName: TypeAlias = Literal["resend", "smtp"]

DEFAULT_PROVIDER: ProviderName = "resend"
