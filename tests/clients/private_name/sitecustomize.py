"""On a client's PYTHONPATH: one name is this machine's, as an entry of /etc/hosts would have it.

Without root, and for that process only.
"""

import os
import socket

_look_up = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    if host == os.environ["MAPPED_NAME"]:
        host = "127.0.0.1"
    return _look_up(host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
