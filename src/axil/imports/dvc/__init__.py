"""DVC: its files, its templates and its cache."""
