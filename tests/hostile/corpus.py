"""All hostile projects, by name."""

from hostile_files import FILES
from hostile_loops import LOOPS
from hostile_settings import HOSTILE_SETTINGS
from hostile_sql import SQL
from hostile_templates import TEMPLATES
from hostile_urls import URLS

_FAMILIES = (FILES, LOOPS, SQL, TEMPLATES, HOSTILE_SETTINGS, URLS)
CASES = {name: case for family in _FAMILIES for name, case in family.items()}
assert len(CASES) == sum(map(len, _FAMILIES)), "two cases of one name"
