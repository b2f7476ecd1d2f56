"""Records in git (forks, runs, notes …), their merge, and the SQLite index that answers every listing."""
