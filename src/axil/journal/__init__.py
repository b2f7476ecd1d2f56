"""Records in git (forks, runs, notes …), their merge, and the SQLite index that answers every listing."""

REF = "refs/axil/journal"
"""Where the records are."""
