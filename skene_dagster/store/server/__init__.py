"""Servers: TiDB, and what else speaks MySQL's protocol."""
