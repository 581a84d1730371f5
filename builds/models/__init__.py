"""What is published, and where: stores, products, builds."""

from builds.models.builds import ROOT_LENGTH, Build, BuildQuerySet
from builds.models.products import Product
from builds.models.stores import Store

__all__ = ["ROOT_LENGTH", "Build", "BuildQuerySet", "Product", "Store"]
