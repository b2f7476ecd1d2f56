"""Other libraries' ways of logging, led into the run (docs/how-to/integrations.md).

Each module imports its own library and `axil.tracking`, nothing else of axil. None lets an exception of its own into
a training loop.
"""
