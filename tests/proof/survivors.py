"""Mutants that no test can kill, by function and by what mutmut put there, with the reason."""

_ONCE = "a role's ARN holds that text once: neither account nor name may hold a colon"
_EVENTS = "identifying claims tell nothing of events, which is all that is asked for here"
_DEFAULT = "escaping is what json.dumps does unless told otherwise"
_ASCII = "every name in it was checked to be ASCII, so nothing is left to escape"

SURVIVORS = {
    (
        "builds.names.x_is_build_root",
        'product_slug, _, build_slug = text.rpartition("/builds/")',
    ): "where the two differ, one of the slugs is empty or holds a slash: refused either way",
    (
        "credentials.rules.policy.x__document",
        'text = json.dumps(document, separators=(",", ":"), ensure_ascii=None)',
    ): _ASCII,
    (
        "credentials.rules.policy.x__document",
        'text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)',
    ): _ASCII,
    (
        "credentials.rules.policy.x__document",
        'text = json.dumps(document, separators=(",", ":"), )',
    ): _DEFAULT,
    (
        "credentials.rules.account_documents.x__identity_reads",
        'account = role_arn.rpartition(":role/")[0]',
    ): _ONCE,
    (
        "credentials.rules.publishers.x_with_usual_events",
        "known = claims_of(kind, )",
    ): _EVENTS,
    (
        "credentials.rules.publishers.x_match_claims",
        "legal: Conditions = with_usual_events(kind, conditions, )",
    ): _EVENTS,
    (
        "credentials.rules.networks.x_throttle_key",
        "return str(ip_network((int(found), IPV6_PREFIX_LENGTH), strict=None))",
    ): "None is as false as False",
    (
        "credentials.operations.account.consistency.x__host",
        'return urlsplit(url).hostname or "XXXX"',
    ): "neither is a host of AWS",
    (
        "credentials.rules.account_documents.xǁWantedAccountǁaccount_arn",
        'return self.role_arn.rpartition(":role/")[0]',
    ): _ONCE,
    (
        "credentials.rules.tokens.x_digest",
        'return hashlib.sha256(secret.reveal().encode("ASCII")).hexdigest()',
    ): "the names of encodings are not case-sensitive",
    (
        "credentials.rules.revocation.x__whole_second",
        "return moment.replace(microsecond=1)",
    ): "moments that are compared are all cut alike, and the text tells no microseconds",
    (
        "credentials.rules.ci_jobs.x__github",
        'return f"https://{own_host[1]}.ghe.com" if own_host else "XXXX"',
    ): "neither makes an https address",
}
