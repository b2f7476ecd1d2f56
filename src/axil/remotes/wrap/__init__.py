"""Remotes that wrap a remote: each adds one thing to it, and they stack."""
