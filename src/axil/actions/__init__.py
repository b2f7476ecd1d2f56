"""One use case per file: plain functions that take a project and return a value for the faces to show."""
