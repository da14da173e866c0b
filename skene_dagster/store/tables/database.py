"""What all skene_* tables share, and the table of the database itself."""

from datetime import datetime

from sqlalchemy import Column, DateTime, LargeBinary, MetaData, String, Table
from sqlalchemy.dialects.mysql import DATETIME, LONGBLOB

metadata = MetaData()

Moment = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
Blob = LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")

OPEN = datetime(9999, 12, 31)
"""`exited_at` of a user who is inside: NOT NULL, so that a unique key can say «inside only once»."""

meta = Table(
    "skene_meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(255), nullable=False),
)
