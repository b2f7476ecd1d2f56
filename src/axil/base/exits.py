"""Exit codes in words."""

from __future__ import annotations

_SHELL = 128
"""A shell whose command was ended by a signal says so by this and the number of the signal."""


def ending(code: int) -> str:
    """`exit code 3`, `exit code 137 (SIGKILL)`; of a process that a signal ended (code -9), `ended by SIGKILL`."""
    if code < 0:
        return f"ended by {_name(-code) or f'signal {-code}'}"
    name = _name(code - _SHELL) if code > _SHELL else ""
    return f"exit code {code} ({name})" if name else f"exit code {code}"


def _name(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return ""
