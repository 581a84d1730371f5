"""The documentation's workflow files, run as their CI systems run them, on an enforcing store."""
