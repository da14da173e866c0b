"""Loop files in YAML, Python and TypeScript."""
