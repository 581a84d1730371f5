"""Requests about products and builds, and how the LTD Keeper contract shows them."""

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from builds.models import Build, Product
from builds.slugs import (
    BUILD_SLUG_LENGTH,
    BUILD_SLUG_PATTERN,
    PRODUCT_SLUG_LENGTH,
    PRODUCT_SLUG_PATTERN,
)
from builds.validators import validate_build_slug, validate_product_slug
from credentials.presigning.serializers import NamesField, SignedPostSerializer
from ltdkeeper.wire import (
    KnownFieldsOnly,
    StrictBooleanField,
    StrictCharField,
    StrictListField,
    public_url,
)

MAX_GIT_REFS = 100
POSTS_MEDIA_TYPE = "application/vnd.ltdkeeper.v2+json"


def in_json(pattern: str) -> str:
    """A pattern as JSON Schema writes it, in which `$` is the end and nothing else."""
    return pattern.replace(r"\Z", "$")


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
    slug = BuildSlugField(
        validators=[validate_build_slug], required=False, allow_null=True, default=None
    )
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


class BuildListSerializer(_PageSerializer):
    """`GET /products/<slug>/builds/`."""

    builds = serializers.ListField(child=serializers.URLField())


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
    self_url, site = build_url(build), build.product.published_url
    return {
        "self_url": self_url,
        "product_url": product_url(build.product),
        "credentials_url": f"{self_url}/credentials",
        "slug": build.slug,
        "date_created": _moment(build.registered_at),
        "date_ended": _moment(build.deleted_at),
        "uploaded": build.finished_at is not None,
        "bucket_name": build.bucket_name,
        "bucket_root_dir": build.root,
        "git_refs": build.git_refs,
        "github_requester": build.github_requester or None,
        "published_url": f"{site}/builds/{build.slug}" if site else "",
        "surrogate_key": build.surrogate_key,
        "state": build.state(timezone.now()).value,
        "open_until": _moment(build.open_until),
        "finished_at": _moment(build.finished_at),
        "object_count": build.object_count,
        "byte_count": build.byte_count,
        "newest_object_at": _moment(build.newest_object_at),
        "counted_at": _moment(build.counted_at),
        "survey_failure": build.survey_failure,
        "written_without_session": build.written_without_session,
        "warning": build.warning or None,
    }


def _moment(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, ending in Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


class NewBuildWithPostsSerializer(NewBuildSerializer):
    """`POST /products/<slug>/builds/` of clients that take presigned POSTs."""

    directories = NamesField(required=False, allow_null=True, default=None)


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
