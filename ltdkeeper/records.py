"""Rows that the service writes by itself, in the admin: to look at, and to act on with actions."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class RecordAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """No row is added, edited or deleted by hand, so the page of one has nothing to save.

    Where there are actions, they may ask for the permission to change.
    """

    class Media:
        css = {"all": ("ltdkeeper/records.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and bool(self.actions) and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
