"""The address of everything. Paths match as a whole; only admin and docs respond with HTML."""

from django.contrib import admin
from django.urls import path, re_path, register_converter
from django.urls.converters import StringConverter
from django.views.generic import RedirectView

from ltdkeeper.api.builds import BuildsView, BuildView, ProductsView, ProductView
from ltdkeeper.api.credentials import BuildCredentialsView, OpenBuildCredentialsView
from ltdkeeper.api.metrics import MetricsView
from ltdkeeper.api.presigned import ObjectView, PresignedPostsView, PresignedUrlsView
from ltdkeeper.api.schema import LEDGER_ID, OpenApiView
from ltdkeeper.api.service import ApiPage, LiveView, NotFoundView, ReadyView, RootView
from ltdkeeper.api.sessions import RevokeSessionView, RevokeView, SessionView
from ltdkeeper.api.tokens import AudienceView, IdentityTokenView, TokenView

BUILD = "builds/<int:build_id>"


class LedgerIdConverter(StringConverter):
    """A ULID in lower case; whatever else stands there is not found, NUL included."""

    regex = LEDGER_ID.strip("^$")


register_converter(LedgerIdConverter, "ledger_id")

# Patterns are tried in turn: what is asked most comes first.
urlpatterns = [
    path(f"{BUILD}/credentials", BuildCredentialsView.as_view(), name="build-credentials"),
    path("credentials", OpenBuildCredentialsView.as_view(), name="credentials"),
    path(BUILD, BuildView.as_view(), name="build"),
    path("products/<str:slug>/builds/", BuildsView.as_view(), name="builds"),
    path(f"{BUILD}/presigned-posts", PresignedPostsView.as_view(), name="presigned-posts"),
    path(f"{BUILD}/presigned-urls", PresignedUrlsView.as_view(), name="presigned-urls"),
    path(f"{BUILD}/objects/<path:key>", ObjectView.as_view(), name="object"),
    path("token", TokenView.as_view(), name="token"),
    path("oidc/token", IdentityTokenView.as_view(), name="oidc-token"),
    path("oidc/audience", AudienceView.as_view(), name="oidc-audience"),
    path("sessions/revoke", RevokeView.as_view(), name="revoke-sessions"),
    path("sessions/<ledger_id:ledger_id>", SessionView.as_view(), name="session"),
    path(
        "sessions/<ledger_id:ledger_id>/revoke", RevokeSessionView.as_view(), name="revoke-session"
    ),
    path("products/", ProductsView.as_view(), name="products"),
    path("products/<str:slug>", ProductView.as_view(), name="product"),
    path("", RootView.as_view(), name="root"),
    path("livez", LiveView.as_view(), name="livez"),
    path("readyz", ReadyView.as_view(), name="readyz"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("openapi.json", OpenApiView.as_view(), name="openapi"),
    path("docs/", ApiPage.as_view(url_name="openapi"), name="docs"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    re_path("", NotFoundView.as_view()),
]

handler400 = "ltdkeeper.api.problems.bad_request"
handler404 = "ltdkeeper.api.problems.not_found"
handler500 = "ltdkeeper.api.problems.server_error"
