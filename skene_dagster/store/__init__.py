"""The database, without any business meaning: connections, transactions, tables, migrations."""
