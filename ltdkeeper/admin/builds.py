"""Stores, products and builds in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from builds.models import Build, Product, Store
from builds.services import new_surrogate_key, release_root
from credentials.operations.isolation.checking import request_check
from ltdkeeper.admin.build_page import BuildPage
from ltdkeeper.admin.filters import BuildClient, BuildState, ByProduct
from ltdkeeper.admin.records import BigListAdmin
from ltdkeeper.admin.revoke import RevocableAdmin
from ltdkeeper.admin.see_also import ProductSeeAlso, StoreSeeAlso


@admin.register(Store)
class StoreAdmin(StoreSeeAlso, RevocableAdmin):
    """Where builds go. Changing bucket or role of a store in use closes its open builds' scope."""

    is_exported = True
    list_display = ("name", "bucket", "region", "endpoint_url", "role_arn", "post_support")
    search_fields = ("name", "bucket", "role_arn")
    actions = ("check_isolation",)
    revoked_as = "store"
    fieldsets = (
        (None, {"fields": ("name", "bucket", "region", "addressing", "acl_mode")}),
        ("Addresses", {"fields": ("endpoint_url", "public_endpoint_url")}),
        (
            "Rights",
            {"fields": ("role_arn", "role_max_seconds", "external_id", "kms_key_arn", "with_sync")},
        ),
        ("Presigned POSTs", {"fields": ("post_support", "post_signer_profile")}),
    )

    def save_model(self, request: HttpRequest, obj: Store, form: Any, change: bool) -> None:  # noqa: FBT001
        if change:
            obj.forget_what_was_tried(form.changed_data)
        super().save_model(request, obj, form, change)

    def has_check_permission(self, request: HttpRequest) -> bool:
        """What Django asks for actions with the permission `check`."""
        return bool(request.user.has_perm("credentials.add_isolationrun"))

    @admin.action(description="Request a check of isolation", permissions=["change", "check"])
    def check_isolation(self, request: HttpRequest, queryset: QuerySet[Store]) -> None:
        for store in queryset:
            request_check(store=store, now=timezone.now(), actor_id=request.user.pk)
            self.log_change(request, store, "Requested a check of isolation.")
        message = f"{len(queryset)} requested: `manage.py check_isolation --requested` makes them."
        self.message_user(request, message)


@admin.register(Product)
class ProductAdmin(ProductSeeAlso, RevocableAdmin):
    """Documentation sites. Slug and store are frozen once there is a build."""

    is_exported = True
    list_display = ("slug", "title", "store", "access", "session_seconds")
    list_filter = ("store", "access")
    list_select_related = ("store",)
    search_fields = ("slug", "title")
    ordering = ("slug",)
    fields = ("slug", "store", "title", "doc_repo", "root_domain", "access", "session_seconds")
    actions = ("allow_sync", "limit_to_upload")
    revoked_as = "product"

    def get_readonly_fields(
        self, request: HttpRequest, obj: Product | None = None
    ) -> tuple[str, ...]:
        """*Access* is changed by actions, so that no page that was open before gives it back."""
        if obj is None:
            return ()
        frozen = ("slug", "store", "access") if obj.builds.exists() else ("access",)
        return (*frozen, *super().get_readonly_fields(request, obj))

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


@admin.register(Build)
class BuildAdmin(RevocableAdmin, BuildPage, BigListAdmin):
    """Builds, to look at; deleting marks them, as the API does."""

    list_display = (
        *("root", "state_now", "registered_at", "finished_at", "object_count", "byte_count"),
        "warning",
    )
    list_filter = (BuildState, ByProduct, BuildClient)
    actions = ("mark_deleted", "release_roots")
    revoked_as = "build"

    @admin.action(description="Mark selected builds as deleted", permissions=["change"])
    def mark_deleted(self, request: HttpRequest, queryset: QuerySet[Build]) -> HttpResponse | None:
        return self.confirm(request, "end", queryset)

    @admin.action(description="Purge despite a shared root, once deleted", permissions=["change"])
    def release_roots(self, request: HttpRequest, queryset: QuerySet[Build]) -> None:
        builds = [release_root(build_id=build.pk) for build in queryset.filter(root_is_shared=True)]
        for build in builds:
            self.log_change(request, build, "Root is no longer shared.")
        message = f"{len(builds)} no longer shared: purging them removes all below their roots."
        self.message_user(request, message)
