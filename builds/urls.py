"""Addresses of products and builds, where LTD Keeper has them."""

from django.urls import path

from ltdkeeper.api import builds as views

urlpatterns = [
    path("products/", views.ProductsView.as_view(), name="products"),
    path("products/<str:slug>", views.ProductView.as_view(), name="product"),
    path("products/<str:slug>/builds/", views.BuildsView.as_view(), name="builds"),
    path("builds/<int:build_id>", views.BuildView.as_view(), name="build"),
]
