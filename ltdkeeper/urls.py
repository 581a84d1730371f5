"""The address of everything. Paths match as a whole; only admin and docs respond with HTML."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from ltdkeeper.api.health import LiveView, ReadyView
from ltdkeeper.api.metrics import MetricsView
from ltdkeeper.api.root import ApiPage, NotFoundView, RootView
from ltdkeeper.api.schema import OpenApiView

# Patterns are tried in turn: what is asked most comes first.
urlpatterns = [
    path("", include("ltdkeeper.api.urls")),
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
