"""The address of everything. Paths match as a whole; none answers with HTML but admin and docs."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from ltdkeeper import health
from ltdkeeper.metrics import MetricsView
from ltdkeeper.schema import OpenApiView
from ltdkeeper.views import ApiPage, NotFoundView, RootView

urlpatterns = [
    path("", RootView.as_view(), name="root"),
    path("livez", health.LiveView.as_view(), name="livez"),
    path("readyz", health.ReadyView.as_view(), name="readyz"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("openapi.json", OpenApiView.as_view(), name="openapi"),
    path("docs/", ApiPage.as_view(url_name="openapi"), name="docs"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("", include("credentials.urls")),
    path("", include("builds.urls")),
    re_path("", NotFoundView.as_view()),
]

handler400 = "ltdkeeper.problems.bad_request"
handler404 = "ltdkeeper.problems.not_found"
handler500 = "ltdkeeper.problems.server_error"
