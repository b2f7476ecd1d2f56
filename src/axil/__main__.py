"""`python -m axil` is the same as `axil`."""

from __future__ import annotations

from axil.cli.main import program

if __name__ == "__main__":
    program()
