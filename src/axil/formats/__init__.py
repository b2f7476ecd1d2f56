"""Bytes <-> values: pure, versioned, one file a format, one page each in docs/formats/."""
