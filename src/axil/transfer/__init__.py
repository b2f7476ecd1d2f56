"""Objects on their way between the store and remotes: chunks, packs, indexes, push, fetch, prune, check."""
