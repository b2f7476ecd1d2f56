"""git, reached only through its executable; every process is started in `process.py`."""
