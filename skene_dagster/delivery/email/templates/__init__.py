"""Email templates: `<name>.mjml` and `<name>.txt` in, one `Message` out. MJML is compiled once, Jinja2 runs per email.

A template is the author's and is checked as a whole (`Templates.check`); a user's values are data, never markup, never
code. What is wrong with one user's values stops that one email (`MissingValue`, `Unrenderable`).
"""

from skene_dagster.delivery.email.headers import Unrenderable, check_address
from skene_dagster.delivery.email.templates.library import Need, Templates
from skene_dagster.delivery.email.templates.missing import MissingValue

__all__ = ["MissingValue", "Need", "Templates", "Unrenderable", "check_address"]
