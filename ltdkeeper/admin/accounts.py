"""The accounts that log in to the admin, their groups, and the log of what they did."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm
from django.contrib.auth.models import Group, User
from django.db import models
from django.db.models import ProtectedError, QuerySet
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.http import HttpRequest

from ltdkeeper.admin.forms import EditForm, ReasonForm
from ltdkeeper.admin.links import ACTIVE, in_words
from ltdkeeper.admin.login import granted_permissions
from ltdkeeper.admin.records import KeeperAdmin, SwitchedAdmin


@receiver(pre_delete, sender=LogEntry)
def keep_log_entry(instance: LogEntry, **_kwargs: Any) -> None:
    """The admin's log outlives the accounts in it, which are disabled and not deleted."""
    raise ProtectedError("Entries of the admin's log are kept: disable the account.", {instance})


# Rights, and who may log in here, are given by superusers only.
RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")

admin.site.unregister(User)
admin.site.unregister(Group)


# Groups and permissions to tick: Django's two boxes side by side need a mouse, and a wide screen.
TICKED: Any = {models.ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}


IS_STAFF = in_words("is_staff", yes="yes", no="no", name="may log in here")


class AccountForm(EditForm, UserChangeForm):  # type: ignore[type-arg]
    """Django's form of an account."""


class PasswordForm(ReasonForm, AdminPasswordChangeForm):  # type: ignore[type-arg]
    """Django's form of somebody else's password, with a reason."""


@admin.register(User)
class AccountAdmin(SwitchedAdmin, UserAdmin):  # type: ignore[type-arg]
    """Accounts. Who may change them changes neither rights nor who has more rights than they."""

    is_deletable = False
    form = AccountForm
    change_password_form = PasswordForm
    change_user_password_template = "admin/change_password.html"  # noqa: S105 - a file's name
    list_display = ("username", "email", "first_name", "last_name", ACTIVE, IS_STAFF)
    fieldsets: ClassVar[Any] = tuple(
        (title, {"fields": (ACTIVE, *RIGHTS)} if "is_active" in part["fields"] else part)
        for title, part in UserAdmin.fieldsets or ()
    )
    filter_horizontal = ()
    formfield_overrides = {**KeeperAdmin.formfield_overrides, **TICKED}

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if is_superuser(request) else (*fields, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or is_superuser(request) or not holds_more(obj, request))


@admin.register(Group)
class AccountGroupAdmin(KeeperAdmin, GroupAdmin):
    """Groups give rights, so only superusers make, change and delete them."""

    filter_horizontal = ()
    formfield_overrides = {**KeeperAdmin.formfield_overrides, **TICKED}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).prefetch_related("permissions__content_type")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request)


def is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def holds_more(account: User, request: HttpRequest) -> bool:
    """Whether an account, active or not, has a right that the caller lacks."""
    row: Any = account
    if not hasattr(row, "granted"):  # a page asks several times
        row.granted = granted_permissions(account)
    return account.is_superuser or not row.granted <= request.user.get_all_permissions()
