"""A finished small project and its story: what `axil demo` shows."""
