"""Projects of other tools, read into plain values. Nothing here runs or changes anything."""
