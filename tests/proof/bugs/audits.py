"""Bugs of audits: what would go unseen."""

from tests.proof.bugs.bug import bugs_in

AUDIT_BUGS = (
    bugs_in(
        "credentials/operations/audit/bucket.py",
        "tests/credentials/operations/audit/test_bucket.py",
        builds_of_another_bucket_count=(
            "            bucket_name=self.store.bucket,\n",
            "",
        ),
        listing_sessions_count_as_writing=(".issued().writing()", ".issued()"),
        purges_of_this_moment_count=("build.purged_at <= self.now", "build.purged_at"),
        late_objects_go_unseen=("MARGIN = timedelta(minutes=5)", "MARGIN = timedelta(hours=5)"),
        only_deletion_closes_a_build=(
            "closed = [build.finished_at, build.superseded_at, build.deleted_at]",
            "closed = [build.deleted_at]",
        ),
        allowed_prefix_hides_builds=(
            "if self.expectation:\n",
            "if self.expectation and not is_allowed(key, settings.LTD_ALLOWED_PREFIXES):\n",
        ),
        pruned_sessions_were_never_issued=(
            "not self._pruned_until or build.registered_at >= self._pruned_until",
            "True",
        ),
        first_example_only=("if len(self.examples) < EXAMPLES:", "if not self.examples:"),
        builds_split_by_their_neighbours=(
            "while places and not may_lie_in(key, places[-1].name):",
            "while places and places[-1].name != name:",
        ),
    )
    | bugs_in(
        "credentials/operations/audit/ledger.py",
        "tests/credentials/operations/audit/test_ledger.py",
        grants_of_other_products_count=(
            'Grant.objects.filter(client=OuterRef("client"), product=OuterRef("build__product"))',
            'Grant.objects.filter(client=OuterRef("client"))',
        ),
        builds_of_the_day_are_deleted=(
            'Build.objects.expired(now - DAY).order_by("pk")',
            'Build.objects.expired(now).order_by("pk")',
        ),
    )
    | bugs_in(
        "credentials/operations/audit/trail_findings.py",
        "tests/credentials/operations/audit/test_cloudtrail.py",
        copies_of_an_event_count_again=(
            "self.events.add(call.event_id)",
            'self.events.add(f"{call.event_id} {len(self.events)}")',
        ),
        calls_outside_are_harmless_when_denied=(
            "self.breach is Breach.DENIED and self.session and not is_outside(call, self.session)",
            "self.breach is Breach.DENIED",
        ),
    )
    | bugs_in(
        "credentials/operations/audit/trail_coverage.py",
        "tests/credentials/operations/audit/test_trail_coverage.py",
        logs_prove_what_digests_do_not=(
            "known = self._chained if place in self._digested else self._gapless",
            "known = self._gapless",
        ),
        newest_hour_counts_as_proven=(
            "                if end - LATE > start:\n"
            "                    yield f\"{' '.join(place)} {how}\", start, end - LATE\n",
            "                yield f\"{' '.join(place)} {how}\", start, end\n",
        ),
        signature_that_is_wrong_will_do=(
            "        except (InvalidSignature, KeyError, ValueError):\n            return False\n",
            "        except (InvalidSignature, KeyError, ValueError):\n            return True\n",
        ),
        key_of_nobody_will_do=(
            "if not known:",
            "if self.digest.digest_public_key_fingerprint not in known:",
        ),
    )
)
