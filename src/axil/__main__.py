"""`python -m axil` is the same as `axil`."""

from __future__ import annotations

import sys

from axil.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
