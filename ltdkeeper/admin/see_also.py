"""What belongs to a product, a store or a trusted publisher, below what is edited on its page."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html

from builds.models import Build, Product, Store
from credentials.models import Client, IsolationRun, IssuedSession, JobToken, TrustedPublisher
from ltdkeeper.admin.links import NEWEST, NOTHING, link, links, list_address
from ltdkeeper.admin.pages import Page


def to_list(address: str, words: str) -> str:
    """A link to a filtered list."""
    return format_html('<a href="{}">{}</a>', address, words)


class SeeAlso(Page):
    """Adds a section with links to the page of a row that exists."""

    see_also: ClassVar[Sequence[str]] = ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_fieldsets(request, obj), *self.see_also_section(request, obj)]

    def see_also_section(self, request: HttpRequest, obj: Any) -> Any:
        """The section, where somebody may see some of it."""
        shown = [field for field in self.see_also if obj and self._may_show(request, field)]
        return [("See also", {"fields": shown})] if shown else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [name for name in super().get_fields(request, obj) if name not in self.see_also]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), *self.see_also)


class ProductSeeAlso(SeeAlso):
    see_also = ("its_store", "its_clients", "its_builds", "its_sessions")
    seen_with: ClassVar[Mapping[str, type[Model]]] = {
        "its_store": Store,
        "its_clients": Client,
        "its_builds": Build,
        "its_sessions": IssuedSession,
    }

    @admin.display(description="store")
    def its_store(self, product: Product) -> str:
        return link(product.store)

    @admin.display(description="clients that are granted it")
    def its_clients(self, product: Product) -> str:
        return links(Client.objects.filter(products=product).order_by("name")[:NEWEST])

    @admin.display(description="builds")
    def its_builds(self, product: Product) -> str:
        newest = links(product.builds.all()[:3])
        every = to_list(list_address(Build, product=product.pk), "All its builds")
        return every if newest == NOTHING else format_html("{}; {}", newest, every)

    @admin.display(description="sessions")
    def its_sessions(self, product: Product) -> str:
        return to_list(list_address(IssuedSession, product=product.pk), "All its sessions")


class StoreSeeAlso(SeeAlso):
    see_also = ("its_products", "its_live_sessions", "its_last_check")
    seen_with: ClassVar[Mapping[str, type[Model]]] = {
        "its_products": Product,
        "its_live_sessions": IssuedSession,
        "its_last_check": IsolationRun,
    }

    @admin.display(description="products")
    def its_products(self, store: Store) -> str:
        return to_list(list_address(Product, store__id__exact=store.pk), "All its products")

    @admin.display(description="sessions")
    def its_live_sessions(self, store: Store) -> str:
        address = list_address(IssuedSession, store=store.pk, state="active")
        return to_list(address, "All its live sessions")

    @admin.display(description="last isolation check")
    def its_last_check(self, store: Store) -> str:
        run = IsolationRun.objects.last_of(store)
        return link(run, run.verdict) if run else "never checked in its present form"


class PublisherSeeAlso(SeeAlso):
    see_also = ("its_client", "its_issuer", "its_job_tokens")
    seen_with: ClassVar[Mapping[str, type[Model]]] = {"its_job_tokens": JobToken}

    @admin.display(description="client")
    def its_client(self, rule: TrustedPublisher) -> str:
        return link(rule.client)

    @admin.display(description="issuer")
    def its_issuer(self, rule: TrustedPublisher) -> str:
        return link(rule.issuer)

    @admin.display(description="newest job tokens")
    def its_job_tokens(self, rule: TrustedPublisher) -> str:
        newest = links(rule.job_tokens.all()[:NEWEST])
        every = to_list(list_address(JobToken, publisher=rule.pk), "All its job tokens")
        return every if newest == NOTHING else format_html("{}; {}", newest, every)
