"""Products and builds over HTTP: parse, call one service, render."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from builds.models import Build, Product
from builds.serializers import (
    BuildListSerializer,
    BuildSerializer,
    FinishSerializer,
    NewBuildSerializer,
    NewProductSerializer,
    ProductListSerializer,
    ProductSerializer,
    build_url,
    product_url,
)
from builds.services import find_build, find_product
from credentials.access.clients import create_granted_product, granted_product
from credentials.access.ownership import delete_owned_build, granted_build, register_owned_build
from credentials.access.permissions import IsCallerOrPublicRead, caller_of, reader_of
from credentials.access.rights import usable_products
from credentials.finishing import finish_owned_build
from ltdkeeper.origins import origin_of
from ltdkeeper.wire import PublicCursorPagination

PAGING = [
    OpenApiParameter("cursor", str, description="From `next` or `previous` of another page."),
    OpenApiParameter("page_size", int, description="1 to 1000, default 100."),
]


class ProductsView(APIView):
    """The products that the caller is granted."""

    permission_classes = (IsCallerOrPublicRead,)

    @extend_schema(operation_id="list_products", parameters=PAGING, responses=ProductListSerializer)
    def get(self, request: Request) -> Response:
        reader = reader_of(request)
        visible = usable_products(reader) if reader else Product.objects.all()
        pages = PublicCursorPagination()
        page = pages.paginate_queryset(visible, request)
        return Response({"products": [product_url(product) for product in page], **pages.links()})

    @extend_schema(
        operation_id="create_product",
        request=NewProductSerializer,
        responses={201: ProductSerializer},
    )
    def post(self, request: Request) -> Response:
        fields = _valid(NewProductSerializer, request)
        fields["store_name"] = fields.pop("store")
        product = create_granted_product(caller=caller_of(request), **fields)
        headers = {"Location": product_url(product)}
        return Response(ProductSerializer(product).data, status=201, headers=headers)


class ProductView(APIView):
    """One product."""

    permission_classes = (IsCallerOrPublicRead,)

    @extend_schema(operation_id="read_product", responses=ProductSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(ProductSerializer(_visible_product(request, slug)).data)


class BuildsView(APIView):
    """The builds of a product, newest first."""

    permission_classes = (IsCallerOrPublicRead,)

    @extend_schema(operation_id="list_builds", parameters=PAGING, responses=BuildListSerializer)
    def get(self, request: Request, slug: str) -> Response:
        product = _visible_product(request, slug)
        pages = PublicCursorPagination()
        page = pages.paginate_queryset(product.builds.all(), request)
        return Response({"builds": [build_url(build) for build in page], **pages.links()})

    @extend_schema(
        operation_id="register_build", request=NewBuildSerializer, responses={201: BuildSerializer}
    )
    def post(self, request: Request, slug: str) -> Response:
        product = granted_product(caller=caller_of(request), slug=slug)
        fields = _valid(NewBuildSerializer, request)
        fields["github_requester"] = fields["github_requester"] or ""
        build = register_owned_build(
            caller=caller_of(request), product=product, now=timezone.now(), **fields
        )
        headers = {"Location": build_url(build)}
        return Response(BuildSerializer(build).data, status=201, headers=headers)


class BuildView(APIView):
    """One build: look at it, finish it, delete it."""

    permission_classes = (IsCallerOrPublicRead,)

    @extend_schema(operation_id="read_build", responses=BuildSerializer)
    def get(self, request: Request, build_id: int) -> Response:
        return Response(BuildSerializer(_visible_build(request, build_id)).data)

    @extend_schema(operation_id="finish_build", request=FinishSerializer, responses=BuildSerializer)
    def patch(self, request: Request, build_id: int) -> Response:
        fields = _valid(FinishSerializer, request)
        build = finish_owned_build(
            caller=caller_of(request),
            build_id=build_id,
            empty_allowed=fields["empty"],
            origin=origin_of(request),
            now=timezone.now(),
        )
        return Response(BuildSerializer(build).data)

    @extend_schema(operation_id="delete_build", request=None, responses=BuildSerializer)
    def delete(self, request: Request, build_id: int) -> Response:
        build = delete_owned_build(caller=caller_of(request), build_id=build_id, now=timezone.now())
        return Response(BuildSerializer(build).data)


def _valid(serializer_class: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _visible_product(request: Request, slug: str) -> Product:
    reader = reader_of(request)
    return granted_product(caller=reader, slug=slug) if reader else find_product(slug=slug)


def _visible_build(request: Request, build_id: int) -> Build:
    reader = reader_of(request)
    if reader is None:
        return find_build(build_id=build_id)
    return granted_build(caller=reader, build_id=build_id)
