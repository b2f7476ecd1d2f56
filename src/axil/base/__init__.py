"""Helpers that know nothing of axil: atomic files, locks, hashing, clock, ids, processes, progress."""
