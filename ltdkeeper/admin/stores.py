"""Stores, products and checks of isolation in the admin."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from builds.models import Build, Product, Store
from builds.services import new_surrogate_key
from credentials.models import Client, IsolationRun, IssuedSession, Webhook
from credentials.operations.isolation.checking import request_check
from ltdkeeper.admin.forms import ReasonActionForm
from ltdkeeper.admin.links import (
    NEWEST,
    anchor,
    link,
    linked,
    links,
    list_address,
    named,
    newest_and_all,
    table,
)
from ltdkeeper.admin.pages import Page
from ltdkeeper.admin.records import RecordAdmin
from ltdkeeper.admin.revoke import RevocableAdmin


def kept(by: Iterable[Model]) -> Any:
    """What Django's page for deleting shows where rows keep what was chosen; None: nothing does."""
    names = [link(row) for row in by]
    return ([], {}, set(), names) if names else None


STORE_FIELDS: Sequence[tuple[str | None, Sequence[str]]] = (
    (None, ("name", "bucket", "region", "addressing", "acl_mode")),
    ("Addresses", ("endpoint_url", "public_endpoint_url")),
    ("Rights", ("role_arn", "role_max_seconds", "external_id", "kms_key_arn", "with_sync")),
    ("Presigned POSTs", ("post_support", "post_signer_profile")),
)


@admin.register(Store)
class StoreAdmin(Page, RevocableAdmin):
    """Where builds go. Changing bucket or role of a store in use closes its open builds' scope."""

    is_exported = True
    list_display = ("name", "bucket", "region", "endpoint_url", "role_arn", "post_support")
    search_fields = ("name", "bucket", "role_arn")
    actions = ("check_isolation",)
    action_form = ReasonActionForm
    revoked_as = "store"
    fieldsets: ClassVar[Any] = tuple((title, {"fields": fields}) for title, fields in STORE_FIELDS)
    editable = tuple(field for _title, fields in STORE_FIELDS for field in fields)
    questions = (
        *STORE_FIELDS,
        ("See also", ("its_products", "its_live_sessions", "its_last_check")),
    )
    seen_with = {
        "its_products": Product,
        "its_live_sessions": IssuedSession,
        "its_last_check": IsolationRun,
    }

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Products keep their stores. The first of them are named; nothing else is looked up."""
        kept_by = Product.objects.filter(store__in=objs).order_by("slug")[:NEWEST]
        return kept(kept_by) or super().get_deleted_objects(objs, request)

    def save_model(self, request: HttpRequest, obj: Store, form: Any, change: bool) -> None:  # noqa: FBT001
        if change:
            obj.forget_what_was_tried(form.changed_data)
        super().save_model(request, obj, form, change)

    def has_check_permission(self, request: HttpRequest) -> bool:
        """What Django asks for actions with the permission `check`."""
        return bool(request.user.has_perm("credentials.add_isolationrun"))

    @admin.action(description="Request an isolation check", permissions=["change", "check"])
    def check_isolation(self, request: HttpRequest, queryset: QuerySet[Store]) -> None:
        if not (reason := self.given_reason(request)):
            return
        for store in queryset:
            request_check(store=store, now=timezone.now(), actor_id=request.user.pk)
            self.log_change(request, store, f"Requested an isolation check. Reason: {reason}")
        message = f"{len(queryset)} requested: `manage.py check_isolation --requested` runs them."
        self.message_user(request, message)

    @admin.display(description="products")
    def its_products(self, store: Store) -> str:
        return anchor(list_address(Product, store__id__exact=store.pk), "All its products")

    @admin.display(description="sessions")
    def its_live_sessions(self, store: Store) -> str:
        address = list_address(IssuedSession, store=store.pk, state="active")
        return anchor(address, "All its live sessions")

    @admin.display(description="last isolation check")
    def its_last_check(self, store: Store) -> str:
        run = IsolationRun.objects.last_of(store)
        return link(run, run.verdict) if run else "never checked in its present form"


@admin.register(Product)
class ProductAdmin(Page, RevocableAdmin):
    """Documentation sites. Slug and store are frozen once there is a build."""

    is_exported = True
    list_display = ("slug", "title", "store", "access", "session_seconds")
    list_filter = ("store", "access")
    list_select_related = ("store",)
    search_fields = ("slug", "title")
    ordering = ("slug",)
    fields = editable = (
        *("slug", "store", "title", "doc_repo", "root_domain", "published_url_template"),
        *("access", "session_seconds"),
    )
    questions = (
        (None, fields),
        ("See also", ("its_store", "its_clients", "its_builds", "its_sessions")),
    )
    seen_with = {
        "its_store": Store,
        "its_clients": Client,
        "its_builds": Build,
        "its_sessions": IssuedSession,
    }
    actions = ("allow_sync", "limit_to_upload")
    action_form = ReasonActionForm
    revoked_as = "product"
    its_store = linked("store")

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> Any:
        """*Access* is changed by actions, so that no page that was open before gives it back."""
        if obj is None:
            return ()
        frozen = ("slug", "store", "access") if obj.builds.exists() else ("access",)
        return (*frozen, *super().get_readonly_fields(request, obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Builds keep their products: the newest are named. So do webhooks that are limited to
        these alone, since those of no product receive what is about every product.
        """
        others = Product.objects.exclude(pk__in=[product.pk for product in objs])
        limited = Webhook.objects.filter(products__in=objs).exclude(products__in=others)
        for kept_by in (Build.objects.filter(product__in=objs), limited.distinct()):
            if found := kept(kept_by[:NEWEST]):
                return found
        return super().get_deleted_objects(objs, request)

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:  # noqa: FBT001
        obj.surrogate_key = obj.surrogate_key or new_surrogate_key()
        super().save_model(request, obj, form, change)

    @admin.action(description="Limit selected products to upload", permissions=["change"])
    def limit_to_upload(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self.switch(request, queryset, "Limited to upload", access=Product.Access.UPLOAD)

    @admin.action(description="Allow selected products to sync", permissions=["change"])
    def allow_sync(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        for product in queryset:
            product.access = Product.Access.SYNC
            try:
                product.clean()
            except ValidationError as err:
                words = f"{product}: {' '.join(err.messages)}"
                self.message_user(request, words, messages.ERROR)
                queryset = queryset.exclude(pk=product.pk)
        self.switch(request, queryset, "Allowed to sync", access=Product.Access.SYNC)

    @admin.display(description="clients that are granted it")
    def its_clients(self, product: Product) -> str:
        return links(Client.objects.filter(products=product).order_by("name")[:NEWEST])

    @admin.display(description="builds")
    def its_builds(self, product: Product) -> str:
        address = list_address(Build, product=product.pk)
        return newest_and_all(product.builds.all()[:3], address, "All its builds")

    @admin.display(description="sessions")
    def its_sessions(self, product: Product) -> str:
        return anchor(list_address(IssuedSession, product=product.pk), "All its sessions")


@admin.register(IsolationRun)
class IsolationRunAdmin(Page, RecordAdmin):
    """Checks of isolation, read-only. They are requested on the stores' list."""

    is_exported = True
    list_display = ("store", "verdict", "summary", "requested_at", "finished_at")
    list_filter = ("passed", "store")
    list_select_related = ("store",)
    fields = readonly_fields = (
        *("store", "verdict", "summary", "bucket", "endpoint_url", "role_arn"),
        *("requester", "requested_at", "finished_at", "calls"),
    )
    requester = named("requested_by")

    @admin.display(description="calls")
    def calls(self, run: IsolationRun) -> SafeString | str:
        names = ("call", "expected", "outcome", "answer")
        rows = ([line[name] for name in names] for line in run.lines)
        return table(("Call", "Must be", "Was", "Response"), rows)
