"""skene-dagster init."""
