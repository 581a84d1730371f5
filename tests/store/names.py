"""Names that were once read in another way than they were written, somewhere."""

# None is a legal slug. As part of a key, each is only itself: S3's keys know no path and no
# wildcard, whatever a client, a proxy or a policy might make of them.
NAMES: dict[str, str] = {
    "blank": " ",
    "slash alone": "/",
    "slashes alone": "//",
    "slash": "a/b",
    "slash first": "/ab",
    "slash last": "ab/",
    "two slashes": "a//b",
    "dot": ".",
    "dots": "..",
    "parent inside": "a/../b",
    # `a` + this would be the root of `a/builds/b` + `c`, and the other way round.
    "join": "b/builds/c",
    "escaped dots": "%2e%2e",
    "escaped slash": "a%2fb",
    "backslash": "a\\b",
    "newline": "ab\n",
    "newline inside": "a\nb",
    "tab": "a\tb",
    "star": "*",
    "question mark": "a?",
    "dollar": "$",
    "policy variable": "${aws:username}",
    "escaped wildcard": "${*}",
    "single quote": "a'b",
    "double quote": 'a"b',
    "plus": "a+b",
    "hash": "a#b",
    "right-to-left override": "a\u202eb",
    "zero-width space": "a\u200bb",
    "e acute, composed": "caf\u00e9",
    "e acute, decomposed": "cafe\u0301",
    "above U+00FF": "\u0101b",
    "emoji": "\U0001f600",
    "255 characters": "a" * 255,
    "256 characters": "a" * 256,
}
# As part of a key, stores treat these differently.
MORE_NAMES: dict[str, str] = {"empty": "", "NUL": "ab\0", "1024 characters": "a" * 1024}
