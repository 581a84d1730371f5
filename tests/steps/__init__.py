"""CI steps: real shells that evaluate what the service hands out, real programs that use it."""
