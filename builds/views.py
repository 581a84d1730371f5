"""Products and builds over HTTP: parse, call one service, render."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from builds.models import Build, Product
from builds.serializers import (
    POSTS_MEDIA_TYPE,
    BuildListSerializer,
    BuildSerializer,
    FinishSerializer,
    NewBuildSerializer,
    NewBuildWithPostsSerializer,
    NewProductSerializer,
    ProductListSerializer,
    ProductSerializer,
    RegisteredBuildSerializer,
    build_url,
    product_url,
    render_build,
)
from builds.services import find_build, find_product
from credentials.access.clients import create_granted_product, granted_product
from credentials.access.ownership import delete_owned_build, granted_build, register_owned_build
from credentials.access.permissions import IsCallerOrPublicRead, caller_of, reader_of
from credentials.access.rights import usable_products
from credentials.finishing import finish_owned_build
from credentials.presigning.posts import register_build_with_posts
from credentials.presigning.serializers import (
    render_posts,
)
from credentials.reusing.serving import forget_build
from ltdkeeper.origins import origin_of
from ltdkeeper.wire import NEVER_STORED, PublicCursorPagination, accepts, refuse_unknown

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
        refuse_unknown(request.query_params, ())
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
        operation_id="register_build",
        request=NewBuildWithPostsSerializer,
        responses={201: RegisteredBuildSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Clients that ask for LTD Keeper's second media type may name directories to POST to."""
        product = granted_product(caller=caller_of(request), slug=slug)
        takes_posts = accepts(request, POSTS_MEDIA_TYPE)
        fields = _valid(NewBuildWithPostsSerializer if takes_posts else NewBuildSerializer, request)
        fields["github_requester"] = fields["github_requester"] or ""
        fields |= {"caller": caller_of(request), "product": product, "now": timezone.now()}
        directories = fields.pop("directories", None)
        if directories is None:
            return _registered(register_owned_build(**fields))
        build, posts = register_build_with_posts(
            directories=directories, origin=origin_of(request), **fields
        )
        return _registered(build, render_posts(posts), NEVER_STORED)


class BuildView(APIView):
    """One build: look at it, finish it, delete it."""

    permission_classes = (IsCallerOrPublicRead,)

    @extend_schema(operation_id="read_build", responses=BuildSerializer)
    def get(self, request: Request, build_id: int) -> Response:
        refuse_unknown(request.query_params, ())
        return Response(render_build(_visible_build(request, build_id)))

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
        forget_build(build_id)
        return Response(render_build(build))

    @extend_schema(operation_id="delete_build", request=None, responses={200: BuildSerializer})
    def delete(self, request: Request, build_id: int) -> Response:
        build = delete_owned_build(caller=caller_of(request), build_id=build_id, now=timezone.now())
        forget_build(build_id)
        return Response(render_build(build))


def _registered(
    build: Build, posts: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    location = {"Location": build_url(build)}
    document = {**render_build(build), **(posts or {})}
    return Response(document, status=201, headers={**location, **(headers or {})})


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
