"""Products and builds over HTTP: parse, call one service, render."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.models import Build, Product
from builds.names import (
    BUILD_SLUG_LENGTH,
    BUILD_SLUG_PATTERN,
    PRODUCT_SLUG_LENGTH,
    PRODUCT_SLUG_PATTERN,
)
from builds.services import find_build, find_product
from builds.validators import validate_build_slug, validate_product_slug
from credentials.access.clients import create_granted_product
from credentials.access.registrations import delete_owned_build, register_owned_build
from credentials.access.rights import granted_build, granted_product, usable_products
from credentials.vending.finishing import finish_owned_build
from credentials.vending.presigning import register_build_with_posts
from credentials.vending.serving import forget_build
from ltdkeeper.api.authentication import IsCallerOrPublicRead, caller_of, origin_of, reader_of
from ltdkeeper.api.presigned import NamesField, SignedPostSerializer, render_posts
from ltdkeeper.api.wire import (
    NEVER_STORED,
    OPTIONAL,
    KnownFieldsOnly,
    PublicCursorPagination,
    SearchPagination,
    StrictBooleanField,
    StrictCharField,
    StrictListField,
    accepts,
    in_json,
    moment,
    public_url,
    refuse_unknown,
    valid_body,
)

# Requests about products and builds, and how the LTD Keeper contract shows them.

MAX_GIT_REFS = 100
POSTS_MEDIA_TYPE = "application/vnd.ltdkeeper.v2+json"


def product_url(product: Product) -> str:
    return public_url(f"/products/{product.slug}")


def build_url(build: Build) -> str:
    return public_url(f"/builds/{build.pk}")


@extend_schema_field(
    {"type": "string", "maxLength": PRODUCT_SLUG_LENGTH, "pattern": in_json(PRODUCT_SLUG_PATTERN)}
)
class ProductSlugField(StrictCharField):
    """With its pattern in the OpenAPI document."""


@extend_schema_field(
    {"type": "string", "maxLength": BUILD_SLUG_LENGTH, "pattern": in_json(BUILD_SLUG_PATTERN)}
)
class BuildSlugField(StrictCharField):
    """With its pattern in the OpenAPI document."""


class NewProductSerializer(KnownFieldsOnly):
    """`POST /products/`."""

    slug = ProductSlugField(validators=[validate_product_slug])
    store = StrictCharField(max_length=50)
    title = StrictCharField(max_length=255, required=False, allow_blank=True, default="")
    doc_repo = StrictCharField(max_length=255, required=False, allow_blank=True, default="")
    root_domain = StrictCharField(max_length=255, required=False, allow_blank=True, default="")
    access = serializers.ChoiceField(
        choices=[Product.Access.UPLOAD.value],
        required=False,
        write_only=True,
        error_messages={
            "invalid_choice": "Only upload: an operator sets another access in the admin."
        },
    )

    def validate_access(self, _value: Any) -> Any:
        """What a new product has anyway."""
        raise serializers.SkipField


class NewBuildSerializer(KnownFieldsOnly):
    """`POST /products/<slug>/builds/`."""

    git_refs = StrictListField(
        child=StrictCharField(max_length=255), limit=MAX_GIT_REFS, allow_empty=False
    )
    slug = BuildSlugField(validators=[validate_build_slug], **OPTIONAL)
    github_requester = StrictCharField(
        max_length=255, required=False, allow_blank=True, allow_null=True, default=""
    )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and "directories" in set(data) - set(self.fields):
            sentence = f"Only with the header Accept: {POSTS_MEDIA_TYPE}."
            raise serializers.ValidationError({"directories": [sentence]})
        return super().to_internal_value(data)


class FinishSerializer(KnownFieldsOnly):
    """`PATCH /builds/<id>`."""

    uploaded = StrictBooleanField()
    empty = StrictBooleanField(required=False, default=False)

    def validate_uploaded(self, value: Any) -> Any:
        if not value:
            raise serializers.ValidationError("Only true: a finished build is not reopened.")
        return value


class _PageSerializer(serializers.Serializer[Any]):
    """The links of a page, for the OpenAPI document."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ProductListSerializer(_PageSerializer):
    """`GET /products/`."""

    products = serializers.ListField(child=serializers.URLField())


class BuildSearchSerializer(serializers.Serializer[Any]):
    """The query of `GET /products/<slug>/builds/`."""

    git_ref = StrictCharField(
        max_length=255, required=False, help_text="The first of a build's `git_refs`."
    )
    state = serializers.ChoiceField(choices=Build.State.values, required=False)
    registered_before = serializers.DateTimeField(required=False)
    expand = serializers.BooleanField(
        required=False, help_text="Whole builds in place of their addresses."
    )


class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product as LTD clients read it."""

    self_url = serializers.SerializerMethodField()
    builds_url = serializers.SerializerMethodField()
    bucket_name = serializers.CharField(source="store.bucket")
    store = serializers.CharField(source="store.name")
    published_url = serializers.CharField()
    domain = serializers.CharField()

    class Meta:
        model = Product
        fields = (
            "self_url",
            "builds_url",
            "slug",
            "title",
            "doc_repo",
            "store",
            "bucket_name",
            "access",
            "published_url",
            "domain",
            "root_domain",
            "surrogate_key",
        )
        read_only_fields = fields

    def get_self_url(self, product: Product) -> str:
        return product_url(product)

    def get_builds_url(self, product: Product) -> str:
        return public_url(f"/products/{product.slug}/builds/")


class BuildSerializer(serializers.ModelSerializer[Build]):
    """A build as LTD clients read it, and what this service knows besides."""

    self_url = serializers.CharField(read_only=True)
    product_url = serializers.CharField(read_only=True)
    credentials_url = serializers.CharField(read_only=True)
    bucket_root_dir = serializers.CharField(read_only=True)
    date_created = serializers.DateTimeField(read_only=True)
    date_ended = serializers.DateTimeField(read_only=True, allow_null=True)
    git_refs = serializers.ListField(child=serializers.CharField(), read_only=True)
    uploaded = serializers.BooleanField(read_only=True)
    github_requester = serializers.CharField(read_only=True, allow_null=True)
    published_url = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(choices=Build.State.values, read_only=True)
    warning = serializers.CharField(read_only=True, allow_null=True)

    class Meta:
        model = Build
        fields: tuple[str, ...] = (
            "self_url",
            "product_url",
            "credentials_url",
            "slug",
            "date_created",
            "date_ended",
            "uploaded",
            "bucket_name",
            "bucket_root_dir",
            "git_refs",
            "github_requester",
            "published_url",
            "surrogate_key",
            "state",
            "open_until",
            "finished_at",
            "object_count",
            "byte_count",
            "newest_object_at",
            "counted_at",
            "survey_failure",
            "written_without_session",
            "warning",
        )
        read_only_fields = fields


def render_build(build: Build) -> dict[str, Any]:
    """The members of BuildSerializer, without its cost: it makes its fields anew each time."""
    self_url = build_url(build)
    return {
        "self_url": self_url,
        "product_url": product_url(build.product),
        "credentials_url": f"{self_url}/credentials",
        "slug": build.slug,
        "date_created": moment(build.registered_at),
        "date_ended": moment(build.deleted_at),
        "uploaded": build.finished_at is not None,
        "bucket_name": build.bucket_name,
        "bucket_root_dir": build.root,
        "git_refs": build.git_refs,
        "github_requester": build.github_requester or None,
        "published_url": build.published_url,
        "surrogate_key": build.surrogate_key,
        "state": build.state(timezone.now()).value,
        "open_until": moment(build.open_until),
        "finished_at": moment(build.finished_at),
        "object_count": build.object_count,
        "byte_count": build.byte_count,
        "newest_object_at": moment(build.newest_object_at),
        "counted_at": moment(build.counted_at),
        "survey_failure": build.survey_failure,
        "written_without_session": build.written_without_session,
        "warning": build.warning or None,
    }


class NewBuildWithPostsSerializer(NewBuildSerializer):
    """`POST /products/<slug>/builds/` of clients that take presigned POSTs."""

    directories = NamesField(**OPTIONAL)


@extend_schema_field(
    {"anyOf": [{"type": "string", "format": "uri"}, {"$ref": "#/components/schemas/Build"}]}
)
class _BuildOrAddress(serializers.Field[Any, Any, Any, Any]):
    """Whole with `expand=true`."""


class BuildListSerializer(_PageSerializer):
    """`GET /products/<slug>/builds/`."""

    builds = serializers.ListField(child=_BuildOrAddress())


class RegisteredBuildSerializer(BuildSerializer):
    """A build, and its presigned POSTs where directories were named."""

    post_prefix_urls = serializers.DictField(child=SignedPostSerializer(), required=False)
    post_dir_urls = serializers.DictField(child=SignedPostSerializer(), required=False)
    post_expires_at = serializers.DateTimeField(required=False)

    class Meta(BuildSerializer.Meta):
        fields = (
            *BuildSerializer.Meta.fields,
            "post_prefix_urls",
            "post_dir_urls",
            "post_expires_at",
        )


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
        fields = valid_body(NewProductSerializer, request)
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

    @extend_schema(
        operation_id="list_builds",
        parameters=[*PAGING, BuildSearchSerializer],
        responses=BuildListSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        builds = _visible_product(request, slug).builds.all()
        asked = BuildSearchSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        criteria = dict(asked.validated_data)
        render = render_build if criteria.pop("expand", False) else build_url
        params = asked.fields.keys()
        pages = (
            SearchPagination(among=builds, other_params=params)
            if criteria
            else PublicCursorPagination(other_params=params)
        )
        page = pages.paginate_queryset(builds.search(now=timezone.now(), **criteria), request)
        return Response({"builds": [render(build) for build in page], **pages.links()})

    @extend_schema(
        operation_id="register_build",
        request=NewBuildWithPostsSerializer,
        responses={201: RegisteredBuildSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Clients that ask for LTD Keeper's second media type may name directories to POST to."""
        product = granted_product(caller=caller_of(request), slug=slug)
        takes_posts = accepts(request, POSTS_MEDIA_TYPE)
        serializer = NewBuildWithPostsSerializer if takes_posts else NewBuildSerializer
        fields = valid_body(serializer, request)
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
        fields = valid_body(FinishSerializer, request)
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
        refuse_unknown(request.query_params, ())
        build = delete_owned_build(caller=caller_of(request), build_id=build_id, now=timezone.now())
        forget_build(build_id)
        return Response(render_build(build))


def _registered(
    build: Build, posts: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    location = {"Location": build_url(build)}
    document = {**render_build(build), **(posts or {})}
    return Response(document, status=201, headers={**location, **(headers or {})})


def _visible_product(request: Request, slug: str) -> Product:
    reader = reader_of(request)
    return granted_product(caller=reader, slug=slug) if reader else find_product(slug=slug)


def _visible_build(request: Request, build_id: int) -> Build:
    reader = reader_of(request)
    if reader is None:
        return find_build(build_id=build_id)
    return granted_build(caller=reader, build_id=build_id)
