"""Names that must never become part of a key, a policy or an address, by what is wrong with them;
and strategies for the legal ones.
"""

from hypothesis import strategies as st

HOSTILE = {
    "empty": "",
    "slash": "/",
    "two slashes": "//",
    "leading slash": "/doc",
    "trailing slash": "doc/",
    "double slash": "a//b",
    "one level": "a/b",
    "dot": ".",
    "dots": "..",
    "way up": "a/../b",
    "way out": "../doc",
    "percent-encoded dots": "%2e%2e",
    "percent-encoded slash": "a%2fb",
    "backslash": "a\\b",
    "NUL": "do\0c",
    "trailing NUL": "doc\0",
    "newline": "do\nc",
    "trailing newline": "doc\n",
    "leading newline": "\ndoc",
    "carriage return": "doc\r",
    "tab": "doc\t",
    "DEL": "doc\x7f",
    "C1 control": "doc\x85",
    "space": "do c",
    "trailing space": "doc ",
    "star": "*",
    "star behind": "doc*",
    "star inside": "do*c",
    "question mark": "do?",
    "question mark inside": "do?c",
    "dollar": "do$",
    "policy variable": "${aws:username}",
    "escaped star": "${*}",
    "double quote": 'do"c',
    "single quote": "do'c",
    "backquote": "do`c",
    "ampersand": "do&c",
    "plus": "do+c",
    "colon": "do:c",
    "comma": "do,c",
    "brace": "do{c}",
    "angle": "<doc>",
    "right-to-left override": "do\u202ec",
    "zero-width space": "do\u200bc",
    "zero-width joiner": "do\u200dc",
    "byte order mark": "\ufeffdoc",
    "line separator": "doc\u2028",
    "no-break space": "do\u00a0c",
    "NFC": "caf\u00e9",
    "NFD": "cafe\u0301",
    "long s, a case pair of s": "do\u017f",
    "Kelvin sign, a case pair of k": "do\u212a",
    "dotted capital I": "do\u0130",
    "above U+00FF": "do\u0107",
    "outside the first plane": "do\U0001f4da",
    "fullwidth letter": "do\uff43",
    "Arabic digit": "doc\u0661",
    "lone surrogate": "doc\ud800",
    "65 characters": "a" * 65,
    "255 characters": "a" * 255,
    "256 characters": "a" * 256,
    "1024 characters": "a" * 1024,
}

product_slugs = st.from_regex(r"[a-z][-a-z0-9]{0,61}[a-z0-9]", fullmatch=True)
build_slugs = st.from_regex(r"[a-zA-Z0-9._-]{1,64}", fullmatch=True).filter(
    lambda text: text not in {".", ".."}
)
buckets = st.from_regex(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", fullmatch=True).filter(
    lambda text: ".." not in text
)
