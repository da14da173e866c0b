"""The product's database of the example project, made once for all pages."""

from datetime import datetime
from pathlib import Path

import pytest

from skene_dagster.demo import product


@pytest.fixture(scope="session")
def product_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("product") / "skene.db"
    product.create(file, 50, datetime(2026, 3, 14, 9))
    return file
