"""The one place that holds axil's version."""

__version__ = "0.1.0"
