"""Bugs of what staff may do, of what protects their pages, and of pages that were open before."""

from tests.proof.bugs.bug import bugs_in

RIGHTS = "tests/ltdkeeper/test_admin_rights.py"
ACTIONS = f"{RIGHTS}::test_each_action_is_for_these_permissions_and_no_others"
HEADERS = "tests/ltdkeeper/test_security_headers.py"
SECOND_FACTOR = "tests/ltdkeeper/admin/test_second_factor.py"
PEOPLE = "tests/oidc/test_people.py"
STALE = "tests/ltdkeeper/test_stale_pages.py"

STAFF_BUGS = (
    bugs_in(
        "ltdkeeper/admin/stores.py",
        ACTIONS,
        anybody_requests_a_check=(
            '"Request an isolation check", permissions=["change", "check"]',
            '"Request an isolation check"',
        ),
    )
    | bugs_in(
        "ltdkeeper/admin/builds.py",
        ACTIONS,
        anybody_marks_builds_as_deleted=(
            '"Mark selected builds as deleted", permissions=["change"]',
            '"Mark selected builds as deleted"',
        ),
    )
    | bugs_in(
        "ltdkeeper/admin/keys.py",
        ACTIONS,
        anybody_revokes_keys_and_job_tokens=(
            '%(verbose_name_plural)s", permissions=["change", "revoke"]',
            '%(verbose_name_plural)s"',
        ),
    )
    | bugs_in(
        "ltdkeeper/admin/clients.py",
        f"{RIGHTS}::test_each_address_opens_to_these_permissions_and_to_no_others",
        clients_are_deleted=("is_deletable = False", "is_deletable = True"),
    )
    | bugs_in(
        "ltdkeeper/admin/accounts.py",
        RIGHTS,
        staff_make_themselves_superusers=("(*fields, *RIGHTS)", "fields"),
        passwords_of_superusers_are_set=(" or not holds_more(obj, request)", " or obj"),
        log_entries_are_deleted=("@receiver(pre_delete, sender=LogEntry)\n", ""),
    )
    | bugs_in(
        "ltdkeeper/settings.py",
        HEADERS,
        inline_scripts_are_run=(
            "script-src 'self';",
            "script-src 'self' 'unsafe-inline';",
        ),
        anybody_claims_https=("if LTD_TRUSTED_PROXIES:\n", "if True:\n"),
    )
    | bugs_in(
        "ltdkeeper/admin/forms.py",
        STALE,
        edits_need_no_reason=("if self.changed_data and not self.given_reason and", "if False and"),
        old_page_writes_what_it_showed=("carried and not field.disabled", "False"),
    )
    | bugs_in(
        "ltdkeeper/admin/records.py",
        STALE,
        old_page_enables_again=('(*fields, "is_active", ACTIVE) if obj else fields', "fields"),
    )
    | bugs_in(
        "ltdkeeper/admin/login.py",
        "tests/ltdkeeper/test_caches.py",
        passwords_are_hashed_before_they_are_counted=(
            "        if self.seconds_to_wait:\n",
            "        self.check_attempt()\n        if self.seconds_to_wait:\n",
        ),
    )
    | bugs_in(
        "ltdkeeper/admin/login.py",
        SECOND_FACTOR,
        password_alone_logs_in=("if not second_factor.is_asked_of(user):", "if True:"),
        old_logins_need_no_second_factor=("request.session.get(MET) is True", "True"),
        code_may_come_any_time=('or timezone.now().timestamp() > pending["until"]', ""),
    )
    | bugs_in(
        "ltdkeeper/admin/oidc_sign_in.py",
        PEOPLE,
        token_of_another_sign_in_is_taken=(
            'if not constant_time_compare(str(claims["nonce"]), str(kwargs["nonce"])):',
            "if False:",
        ),
        anybody_at_the_issuer_gets_in=("if not names or identity is None:", "if False:"),
        token_for_another_client_is_taken=(
            'if claims.get("azp", ours if is_for_us_alone else "") != ours:',
            "if False:",
        ),
        disabled_people_stay_logged_in=(
            "ModelBackend.get_user(self, user_id)",
            "User.objects.get(pk=user_id)",
        ),
    )
    | bugs_in(
        "ltdkeeper/admin/records.py",
        "tests/ltdkeeper/test_groups.py::test_action_without_a_reason_changes_nothing",
        actions_need_no_reason=(
            "if not (reason := self.given_reason(request)):",
            "if (reason := self.given_reason(request)) is None:",
        ),
    )
)
