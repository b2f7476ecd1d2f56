"""Exit codes in words."""

from __future__ import annotations


def ending(code: int) -> str:
    """`exit code 3`; of a process that a signal ended (code -9), `ended by SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    import signal

    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
