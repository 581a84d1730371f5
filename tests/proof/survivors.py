"""Mutants that no test can kill, by function and by what mutmut put there, with the reason."""

_DEFAULT = "escaping is what json.dumps does unless told otherwise"
_ASCII = "every name in it was checked to be ASCII, so nothing is left to escape"

SURVIVORS = {
    (
        "builds.slugs.x_is_build_root",
        'product_slug, _, build_slug = text.rpartition("/builds/")',
    ): "where the two differ, one of the slugs is empty or holds a slash: refused either way",
    (
        "credentials.policy.x__document",
        'text = json.dumps(document, separators=(",", ":"), ensure_ascii=None)',
    ): _ASCII,
    (
        "credentials.policy.x__document",
        'text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)',
    ): _ASCII,
    (
        "credentials.policy.x__document",
        'text = json.dumps(document, separators=(",", ":"), )',
    ): _DEFAULT,
    (
        "credentials.identities.x__document",
        'return json.dumps(document, separators=(",", ":"), )',
    ): _DEFAULT,
    (
        "credentials.stores.documents.x__document",
        'return json.dumps(document, separators=(",", ":"), )',
    ): _DEFAULT,
    (
        "credentials.stores.documents.x__document",
        'return json.dumps(document, separators=(",", ":"), ensure_ascii=None)',
    ): _ASCII,
    (
        "credentials.stores.documents.x__document",
        'return json.dumps(document, separators=(",", ":"), ensure_ascii=False)',
    ): _ASCII,
    (
        "credentials.stores.plan.xǁPlanǁ_account_arn",
        'return self.role_arn.rpartition(":role/")[0]',
    ): "a role's ARN holds that text once: neither account nor name may hold a colon",
    (
        "credentials.access.tokens.x_digest",
        'return hashlib.sha256(secret.reveal().encode("ASCII")).hexdigest()',
    ): "the names of encodings are not case-sensitive",
}
