"""Addresses of tokens and credentials."""

from django.urls import path

from ltdkeeper.api import credentials as views
from ltdkeeper.api import presigned as presigning
from ltdkeeper.api import tokens as publishers
from ltdkeeper.api import tokens as token_views

urlpatterns = [
    path("token", token_views.TokenView.as_view(), name="token"),
    path("oidc/token", publishers.IdentityTokenView.as_view(), name="oidc-token"),
    path("oidc/audience", publishers.AudienceView.as_view(), name="oidc-audience"),
    path("credentials", views.OpenBuildCredentialsView.as_view(), name="credentials"),
    path(
        "builds/<int:build_id>/credentials",
        views.BuildCredentialsView.as_view(),
        name="build-credentials",
    ),
    path(
        "builds/<int:build_id>/presigned-posts",
        presigning.PresignedPostsView.as_view(),
        name="presigned-posts",
    ),
    path(
        "builds/<int:build_id>/presigned-urls",
        presigning.PresignedUrlsView.as_view(),
        name="presigned-urls",
    ),
]
