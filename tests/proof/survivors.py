"""Mutants that no test can kill, by function and by what mutmut put there, with the reason."""

_ONCE = "a role's ARN holds that text once: neither account nor name may hold a colon"
_EVENTS = "identifying claims tell nothing of events, which is all that is asked for here"
_NOTHING = "what is not there, and what is no ARN of ours, lead to the same"
_AS_MANY = "there are as many of both"
_ONE_CHARACTER = "differs only where naming a product saves one single character"

SURVIVORS = {
    (
        "builds.names.x_is_build_root",
        'product_slug, _, build_slug = text.rpartition("/builds/")',
    ): "where the two differ, one of the slugs is empty or holds a slash: refused either way",
    (
        "credentials.rules.account_documents.x_auditor_policy",
        'vendor_arn: str = "XXXX",',
    ): _NOTHING,
    (
        "credentials.rules.account_documents.x_auditor_policy",
        'revoker_arn: str = "XXXX",',
    ): _NOTHING,
    (
        "credentials.rules.account_documents.x__known_to_store",
        'account = role_arn.rpartition(":role/")[0]',
    ): _ONCE,
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
    (
        "credentials.rules.cloudtrail.x_recognise",
        'head, _, name = (identity.arn or "XXXX").rpartition("/")',
    ): _NOTHING,
    (
        "credentials.rules.cloudtrail.x_recognise",
        "role_arn = watched.roles.get(head, None)",
    ): _NOTHING,
    (
        "credentials.rules.cloudtrail.x_recognise",
        "role_arn = watched.roles.get(head, )",
    ): _NOTHING,
    (
        "credentials.rules.cloudtrail.x__use",
        'caller=identity.arn or identity.principal_id or "XXXX",',
    ): "a call with neither is nobody's session, and is left out",
    (
        "credentials.rules.cloudtrail.x__foreign_use",
        'call = _use(record, identity, (identity.principal_id or "XXXX").partition(":")[2], "")',
    ): _NOTHING,
    (
        "credentials.rules.cloudtrail.x__assumption",
        'parameters, message = _members(record.request_parameters), record.error_message or "XXXX"',
    ): "no role has such an ARN",
    (
        "credentials.rules.cloudtrail.x__change",
        '"roleName": watched.role_names_in(record.recipient_account_id or "XXXX"),',
    ): "neither is an account's number",
    (
        "credentials.rules.revocation.x__groups",
        "best = [(1, end)] * (end + 1)",
    ): "every chain of statements ends there, so all of them save one more",
    (
        "credentials.rules.revocation.x__groups",
        "best = [(0, end)] * (end + 2)",
    ): "no chain of statements comes to the last one",
    (
        "credentials.rules.revocation.x__groups",
        "sums = accumulate(max(each, 1) for each in savings[first:])",
    ): _ONE_CHARACTER,
    (
        "credentials.rules.revocation.x__groups",
        "following = zip(sums, range(first + 1, end + 1), strict=None)",
    ): _AS_MANY,
    (
        "credentials.rules.revocation.x__groups",
        "following = zip(sums, range(first + 1, end + 1), )",
    ): _AS_MANY,
    (
        "credentials.rules.revocation.x__groups",
        "following = zip(sums, range(first + 1, end + 1), strict=False)",
    ): _AS_MANY,
    (
        "credentials.rules.revocation.x__groups",
        "best[first] = (saving - 1 - STATEMENT_LENGTH, then)",
    ): "two characters of a statement decide between policies that are about as long",
    (
        "credentials.rules.revocation.x__groups",
        "worth = [each for each in ordered[first:then] if each.saving(time, bonus) >= 0]",
    ): _ONE_CHARACTER,
    (
        "credentials.rules.revocation.x__groups",
        "worth = [each for each in ordered[first:then] if each.saving(time, bonus) > 1]",
    ): _ONE_CHARACTER,
    (
        "credentials.rules.webhooks.x_gap_after",
        "grown: timedelta = min(FIRST_GAP * GAP_FACTOR ** min(attempts - 1, 11), LONGEST_GAP)",
    ): "both are longer than the longest gap",
}
