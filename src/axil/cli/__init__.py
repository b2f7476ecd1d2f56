"""The command line: parse, call one action, show its value. No logic lives here."""
