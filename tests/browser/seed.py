"""Rows of every kind and in every state, in an empty database. Nothing in them is random."""

import hashlib
import io
import itertools
import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

import time_machine
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.utils import timezone
from ulid import ULID

from builds.models import Build, Product, Store
from credentials.models import (
    AccessToken,
    ApiKey,
    AuditFinding,
    BuildOwner,
    CiJob,
    Client,
    Delivery,
    EventKind,
    IsolationRun,
    IssuedSession,
    JobProduct,
    JobRun,
    JobToken,
    LedgerExport,
    OidcIssuer,
    Refusal,
    Revocation,
    TrustedPublisher,
    Webhook,
    WebhookDelivery,
    record_event,
)
from credentials.operations.findings import Finding, Severity
from credentials.operations.kept_findings import acknowledge
from credentials.operations.runs import recorded_run
from credentials.rules.policy import Scope, session_policy
from tests.browser import PASSWORD, USERNAME

# So many rows of a model are looked at: all that differ in kind, where pages differ by it.
ROWS = {
    "builds_build": 6,
    "credentials_auditfinding": 4,
    "credentials_client": 2,
    "credentials_issuedsession": 6,
    "credentials_jobrun": 3,
    "credentials_revocation": 4,
    "credentials_trustedpublisher": 2,
    "credentials_webhook": 2,
    "credentials_webhookdelivery": 4,
}
OTHER_ROWS = 1
SESSIONS = 12
GITHUB_JOB = (
    "octo-org/handbook .github/workflows/docs.yml refs/heads/main push run 22259804324 attempt 1"
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def public_id(text: str) -> str:
    return digest(text)[:12]


class Seed:
    """All rows, made at one moment. What a method makes, later ones refer to by name."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.numbers = itertools.count(1)

    def run(self) -> None:
        for make in (
            self.people,
            self.products,
            self.clients,
            self.publishers,
            self.job_tokens,
            self.builds,
            self.sessions,
            self.checks,
            self.refusals,
            self.revocations,
            self.audits,
            self.webhooks,
        ):
            make()

    def ago(self, **time: float) -> datetime:
        return self.now - timedelta(**time)

    def people(self) -> None:
        self.ada = User.objects.create_superuser(
            USERNAME, "ada@example.org", PASSWORD, first_name="Ada"
        )
        grace = User.objects.create_user("grace", "grace@example.org", is_staff=True)
        User.objects.create_user("left", is_active=False)
        keepers = Group.objects.create(name="documentation")
        keepers.permissions.set(Permission.objects.filter(codename__startswith="view_"))
        grace.groups.add(keepers)

    def products(self) -> None:
        self.store = Store.objects.get()
        archive = Store.objects.create(
            name="archive",
            bucket="docs-archive",
            region="eu-central-1",
            role_arn="arn:aws:iam::123456789012:role/documentation/ltdkeeper-archive-upload",
            kms_key_arn="arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        )
        self.product = {
            slug: Product.objects.create(
                slug=slug,
                title=title,
                store=store,
                surrogate_key=digest(slug)[:32],
                doc_repo=f"https://github.com/octo-org/{slug}",
                root_domain="docs.example.org",
                published_url_template="https://{product}.docs.example.org/builds/{build}/",
            )
            for slug, title, store in (
                ("handbook", "Handbook of the observatory", self.store),
                ("api-guide", "Guide to the API", self.store),
                ("release-notes", "", archive),
                ("a-product-with-a-slug-that-is-as-long-as-a-slug-of-products-can", "", archive),
            )
        }

    def clients(self) -> None:
        self.client, self.key = {}, {}
        for name in ("docs-ci", "nightly", "old-jenkins"):
            self.client[name] = Client.objects.create(name=name)
            for product in self.product.values():
                self.client[name].grants.create(product=product)
        Client.objects.filter(name="old-jenkins").update(is_active=False)
        self._key("docs-ci", "GitHub runner", expires_at=self.ago(days=-60), last_used_at=self.now)
        self._key("nightly", "limited", networks=["192.0.2.0/24", "2001:db8::/32"])
        self._key("nightly", "expired", expires_at=self.ago(days=2))
        self._key("old-jenkins", "leaked", revoked_at=self.ago(days=1))
        LogEntry.objects.log_actions(
            self.ada.pk, [self.key["leaked"]], CHANGE, "Revoked.", single_object=True
        )
        AccessToken.objects.create(
            api_key=self.key["GitHub runner"],
            public_id=public_id("access token"),
            secret_sha256=digest("access token"),
            created_at=self.ago(hours=1),
            expires_at=self.ago(hours=-11),
        )

    def _key(self, client: str, label: str, **fields: Any) -> None:
        self.key[label] = ApiKey.objects.create(
            client=self.client[client],
            label=label,
            public_id=public_id(label),
            secret_sha256=digest(label),
            **fields,
        )

    def publishers(self) -> None:
        issuers = [
            OidcIssuer(kind="github"),
            OidcIssuer(kind="gitlab", is_active=False),
            OidcIssuer(
                kind="other",
                issuer="https://agent.buildkite.com",
                jwks_url="https://agent.buildkite.com/.well-known/jwks",
                identifying_claims=["organization_id", "pipeline_id"],
            ),
        ]
        for issuer in issuers:
            issuer.full_clean()
            issuer.save()
        conditions = {"repository_id": ["74"], "repository_owner_id": ["65"]}
        self.publisher = self._publisher("handbook, main", issuers[0], conditions)
        conditions = {"project_id": ["20"], "pipeline_source": ["merge_request_event"]}
        self._publisher("guide, merge requests", issuers[1], conditions, is_active=False)

    def _publisher(
        self, name: str, issuer: OidcIssuer, conditions: Mapping[str, Any], **fields: Any
    ) -> TrustedPublisher:
        publisher = TrustedPublisher(
            name=name,
            issuer=issuer,
            client=self.client["docs-ci"],
            conditions=conditions,
            **fields,
        )
        publisher.full_clean()
        publisher.save()
        publisher.products.set([self.product["handbook"]])
        return publisher

    def job_tokens(self) -> None:
        origin = {"publisher": self.publisher, "identity": GITHUB_JOB}
        key = {"api_key": self.key["GitHub runner"]}
        self.job = self._job_token("live", **origin)
        self._job_token("ended", ended_at=self.ago(minutes=5), **key)
        self._job_token("expired", expires_at=self.ago(minutes=30), **origin)
        CiJob.objects.create(
            job_token=self.job,
            repository="octo-org/handbook",
            workflow="octo-org/handbook/.github/workflows/docs.yml@refs/heads/main",
            run_id="22259804324",
            run_number="10",
            commit="c040cae0f0dc81641728557b80f09cfa23b83fe5",
            ref="refs/heads/main",
        )

    def _job_token(self, name: str, **fields: Any) -> JobToken:
        lived = {"created_at": self.ago(hours=2), "expires_at": self.ago(hours=-4)}
        token = JobToken.objects.create(
            client=self.client["docs-ci"],
            public_id=public_id(name),
            secret_sha256=digest(name),
            **(lived | fields),
        )
        JobProduct.objects.create(job_token=token, product=self.product["handbook"])
        return token

    def builds(self) -> None:
        long_ago, counted = self.ago(days=3), {"object_count": 214, "byte_count": 18_734_112}
        done = {"finished_at": self.ago(minutes=40), **counted, "counted_at": self.ago(minutes=30)}
        self.build = {
            "open": self._build(),
            "open for hours": self._build(registered_at=self.ago(hours=11)),
            "expired": self._build(registered_at=long_ago),
            "superseded": self._build(superseded_at=self.ago(minutes=50)),
            "finished": self._build(**done, newest_object_at=self.ago(minutes=41)),
            "foreign": self._build(**done, written_without_session=True, has_untyped_pages=True),
            "uncounted": self._build(
                finished_at=self.ago(minutes=20), survey_failure="store_unreachable"
            ),
            "deleted": self._build(
                registered_at=long_ago, finished_at=long_ago, deleted_at=self.ago(days=1)
            ),
        }

    def _build(self, **fields: Any) -> Build:
        registered_at = fields.pop("registered_at", self.ago(hours=1))
        slug = self._ulid(registered_at)
        build = Build.objects.create(
            product=self.product["handbook"],
            slug=slug,
            server_made=True,
            bucket_name=self.store.bucket,
            root=f"handbook/builds/{slug}",
            git_refs=["main"],
            github_requester="octocat",
            surrogate_key=digest(slug)[:32],
            registered_at=registered_at,
            open_until=registered_at + timedelta(hours=12),
            **fields,
        )
        BuildOwner.objects.create(
            build=build,
            client=self.client["docs-ci"],
            job_token=self.job,
            token_name=self.job.token_name,
        )
        return build

    def _ulid(self, moment: datetime) -> str:
        """One whose random part is not."""
        milliseconds = int(moment.timestamp() * 1000).to_bytes(6, "big")
        tail = hashlib.sha256(str(next(self.numbers)).encode()).digest()[:10]
        return str(ULID.from_bytes(milliseconds + tail)).lower()

    def sessions(self) -> None:
        nothing = {"access_key_id": "", "expires_at": None}
        for hours in range(SESSIONS, 1, -1):
            self._session(requested_at=self.ago(hours=hours))
        status = IssuedSession.Status
        failed = {"status": status.FAILED, "failure_code": "sts_throttled"}
        self._session(build=self.build["superseded"], status=status.WITHHELD)
        self._session(**failed, **nothing)
        requested = {"status": status.REQUESTED, "completed_at": None, **nothing}
        self._session(**requested, requested_at=self.ago(minutes=20))
        self._session(**requested, requested_at=self.now)
        self._session(delivery=Delivery.LIST, duration_seconds=900)
        self._session(delivery=Delivery.POST, signed_by_identity=True)
        self._session(delivery=Delivery.CONTAINER, last_served_at=self.ago(minutes=1))

    def _session(self, **fields: Any) -> None:
        build = fields.pop("build", self.build["open"])
        requested_at = fields.get("requested_at", self.ago(minutes=3))
        ledger_id = self._ulid(requested_at)
        answered_at = requested_at + timedelta(milliseconds=180)
        usual = {
            "status": IssuedSession.Status.ISSUED,
            "delivery": Delivery.JSON,
            "requested_at": requested_at,
            "completed_at": answered_at,
            "expires_at": answered_at + timedelta(minutes=30),
            "duration_seconds": 1800,
            "access_key_id": f"ASIA{digest(ledger_id)[:16].upper()}",
        }
        IssuedSession.objects.create(
            id=ledger_id, **self._names(build, ledger_id), **(usual | fields)
        )

    def _names(self, build: Build, ledger_id: str) -> dict[str, Any]:
        """What a session is for, and who has it."""
        name = f"{ledger_id}-{build.product.slug}"
        scope = Scope(
            partition="aws", bucket=build.bucket_name, root=build.root, may_list_bare_root=True
        )
        return {
            "store": self.store,
            "build": build,
            "client": self.client["docs-ci"],
            "store_name": self.store.name,
            "product_slug": build.product.slug,
            "build_slug": build.slug,
            "client_name": "docs-ci",
            "token_name": self.job.token_name,
            "bucket_name": build.bucket_name,
            "root": build.root,
            "policy": session_policy(scope),
            "role_arn": self.store.role_arn,
            "session_name": name,
            "assumed_role_id": f"AROA3XFRBF535PLBIFPI4:{name}",
            "packed_policy_percent": 23,
            "sts_request_id": "c6104cbe-af31-11e0-8154-cbc7ccf896c7",
            "caller_address": "2001:db8:85a3::8a2e:370:7334",
            "caller_agent": "Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux#6.8.0",
        }

    def checks(self) -> None:
        ok, leak = (
            {"call": call, "expected": "refused", "outcome": outcome, "answer": answer}
            for call, outcome, answer in (
                ("put an object beside its root", "refused", "403 AccessDenied"),
                ("get an object of another product", "accepted", "200"),
            )
        )
        for hours, passed, lines, summary in (
            (30, False, [ok, leak], "Isolation does not hold: a session can read."),
            (6, False, [{**ok, "outcome": "unclear"}], "Isolation could not be checked."),
            (2, True, [ok], "Isolation holds: 1 call, as it must be."),
        ):
            run = IsolationRun.objects.create(store=self.store, requested_at=self.ago(hours=hours))
            run.finish(passed=passed, summary=summary, lines=lines)
        IsolationRun.objects.create(store=self.store, requested_at=self.now, requested_by=self.ada)

    def refusals(self) -> None:
        """Somebody probes from one address, and a job of ours has a key that is no more."""
        hour = self.now.replace(minute=0, second=0, microsecond=0)
        leaked = {"token_name": self.key["leaked"].token_name, "client": self.client["old-jenkins"]}
        for network, reason, calls, names in (
            ("192.0.2.77", "invalid_credentials", 412, {}),
            ("2001:db8:85a3::/64", "product_not_granted", 9, {"product_slug": "api-guide"}),
            ("198.51.100.4", "invalid_credentials", 31, leaked),
        ):
            times = {"hour": hour, "first_at": max(hour, self.ago(minutes=9)), "last_at": self.now}
            Refusal.objects.create(network=network, reason=reason, calls=calls, **times, **names)

    def revocations(self) -> None:
        written, verified = (
            {"written_at": self.ago(minutes=2)},
            {"verified_at": self.ago(minutes=1)},
        )
        failed = {"failed_at": self.ago(minutes=1), "problem": "revocations_full: the role's "}
        for state, times in (
            ("requested", {}),
            ("written", written),
            ("verified", written | verified),
            ("failed", failed),
        ):
            Revocation.objects.create(
                kind="build",
                target_name=self.build["superseded"].root,
                store=self.store,
                reason="its job printed the credentials",
                requested_by=USERNAME,
                requested_at=self.ago(minutes=3),
                session_count=2,
                ends_at=self.ago(minutes=-25),
                state=state,
                **times,
            )

    def audits(self) -> None:
        """A finding in each state, and runs that ended in each way."""
        session = IssuedSession.objects.latest("pk")
        about = {"session_id": session.pk, "access_key_id": session.access_key_id}
        gone, known, warning = (
            Finding(rule=rule, subject=subject, what=what, change="Look at it.", severity=severity)
            for rule, subject, what, severity in (
                ("client_at_limit", "docs-ci", "Has 1000 open builds.", Severity.ERROR),
                ("key_without_expiry", "ltdk_j2uhvp4goe8l", "Never expires.", Severity.ERROR),
                ("upload_unfinished", "handbook/builds/", "2 uploads.", Severity.WARNING),
            )
        )
        stuck = Finding(
            rule="session_of_closed_build",
            subject=session.pk,
            what="Its build is closed.",
            build_id=session.build_id,
            **about,
        )
        for findings in ([gone, known, warning, stuck], [known, warning, stuck]):
            with recorded_run("audit_bucket", store=self.store) as run:
                run.looked_at(objects=18_734, builds=214)
                run.covers(since=self.ago(days=1), until=self.now)
                run.row.usage = {"guide/": [12_034, 90_210_332], "handbook/": [6_700, 41_002_110]}
                list(run.keep(findings))
        acknowledge(
            findings=AuditFinding.objects.filter(rule=known.rule),
            actor=self.ada,
            note="the proxy's key, replaced in spring",
            until=self.ago(days=-30),
            now=self.now,
        )
        LedgerExport.objects.create(
            file_name="sessions-20250101T00-20251027T00.jsonl.gz",
            place="clock-1:/srv/exports",
            first_id="01jgfjjzg0000000000000000a",
            last_id="01jgfjjzg0000000000000000b",
            until=self.ago(days=400),
            row_count=670_000,
            sha256="0f" * 32,
            begun_at=self.ago(hours=3),
            finished_at=self.ago(hours=2),
            deleted_at=self.ago(hours=1),
        )
        times = {"started_at": self.ago(hours=1), "holder": "clock-1, process 17"}
        JobRun.objects.create(job="roll_up", **times)
        failed = {"state": "failed", "finished_at": self.now, "problem": "The database failed."}
        JobRun.objects.create(job="count_builds", **times, **failed)

    def webhooks(self) -> None:
        """One is told of everything, another of what a CDN needs, and went away."""
        editions = Webhook.objects.create(
            name="editions", url="https://editions.example.org/hooks/ltdkeeper?of=docs"
        )
        cdn = Webhook.objects.create(
            name="cdn",
            url="https://purge.example.net/9f3a1c",
            kinds=[EventKind.BUILD_FINISHED, EventKind.BUILD_DELETED],
            former_seed="01",
            secret_changed_at=self.ago(hours=3),
        )
        cdn.products.add(self.product["handbook"])
        root, payload = self.build["superseded"].root, {"root": self.build["superseded"].root}
        for kind in (EventKind.BUILD_DELETED, EventKind.BUILD_FINISHED):
            record_event(
                kind, subject=root, payload=payload, now=self.ago(hours=2), product_slug="handbook"
            )
        sent = {"attempts": 1, "last_attempt_at": self.ago(hours=1)}
        for webhook, states in (
            (editions, ({"state": "delivered", "last_status": 204}, {"last_status": 503})),
            (cdn, ({"state": "dead", "last_problem": "internal_address"}, None)),
        ):
            for row, changes in zip(webhook.deliveries.order_by("pk"), states, strict=True):
                if changes:
                    WebhookDelivery.objects.filter(pk=row.pk).update(**sent, **changes)
        Webhook.objects.filter(pk=cdn.pk).update(is_active=False, gone_at=self.ago(hours=1))


def rows_to_look_at() -> dict[str, list[str]]:
    """The primary keys of the newest rows of each model that the admin has pages for."""
    models = {
        f"{model._meta.app_label}_{model._meta.model_name}": model for model in admin.site._registry
    }
    return {
        name: [
            str(key)
            for key in model._base_manager.order_by("-pk").values_list("pk", flat=True)[
                : ROWS.get(name, OTHER_ROWS)
            ]
        ]
        for name, model in models.items()
    }


def main(at: str = "") -> None:
    """Make the rows of a moment, or of now, and print those to look at as JSON."""
    with time_machine.travel(at, tick=False) if at else nullcontext():
        Seed(timezone.now()).run()
        call_command("roll_up", stdout=io.StringIO())
        json.dump(rows_to_look_at(), sys.stdout)
