"""The only code that reaches other storage: one protocol, one module for each kind of place."""
