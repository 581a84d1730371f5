#!/usr/bin/env python
"""Django's command line for ltdkeeper, in a clone; installed from a wheel it is `ltdkeeper`."""

from ltdkeeper.__main__ import main

if __name__ == "__main__":
    main()
