"""Uploads one documentation build through ltdkeeper, with credentials for that build alone."""

__version__ = "1.0.0"
