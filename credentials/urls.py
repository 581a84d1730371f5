"""Addresses of tokens and credentials."""

from django.urls import path

from credentials import views

urlpatterns = [
    path("token", views.TokenView.as_view(), name="token"),
    path("credentials", views.OpenBuildCredentialsView.as_view(), name="credentials"),
    path(
        "builds/<int:build_id>/credentials",
        views.BuildCredentialsView.as_view(),
        name="build-credentials",
    ),
]
