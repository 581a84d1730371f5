"""The service: what people and machines see."""

__version__ = "1.0.0"
