"""axil: machine-learning experiments as git branches."""
