"""Presigned POSTs and PUTs, and uploads, over HTTP: parse, call one service, render."""

import base64
import hashlib
import io
import re
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.rules.object_names import MAX_FILES
from credentials.rules.presigned_forms import WantedFile
from credentials.vending.presigning import SignedPosts, SignedPuts, presign_posts, presign_puts
from credentials.vending.uploads import put_object
from ltdkeeper.api.authentication import caller_of, origin_of
from ltdkeeper.api.wire import (
    OPTIONAL,
    KnownFieldsOnly,
    NeverStored,
    StrictIntegerField,
    StrictListField,
    TextField,
    moment,
    refuse_unknown,
    valid,
    valid_body,
)

# Requests for presigned POSTs and PUTs, and how they are answered.

HEADER_LENGTH = 255
MD5_BYTES = 16

_SHA256 = re.compile(r"[0-9a-fA-F]{64}\Z", re.ASCII)
_PRINTABLE = re.compile(r"[\x20-\x7e]+\Z", re.ASCII)
_MEDIA_TYPE = re.compile(r"[\x21-\x7e]+/[\x20-\x7e]*[\x21-\x7e]\Z", re.ASCII)


class NamesField(serializers.ListField):
    """A list of texts, of thousands perhaps: looked at at once, not through a field for each."""

    child = TextField()
    default_error_messages = {"not_texts": "Must be a list of text."}

    def to_internal_value(self, data: Any) -> list[str]:
        if not isinstance(data, list) or not all(isinstance(name, str) for name in data):
            self.fail("not_texts")
        return data


class PresignedPostsRequestSerializer(KnownFieldsOnly):
    """`POST /builds/<id>/presigned-posts`."""

    directories = NamesField(help_text="`/` for the root itself, others as `a/` or `a/b/`.")


class FileSerializer(KnownFieldsOnly):
    """A file that is to be uploaded, with what the client knows of it."""

    key = TextField(help_text="Relative to the root.")
    size = StrictIntegerField(**OPTIONAL, min_value=0)
    sha256 = TextField(**OPTIONAL)
    content_type = TextField(**OPTIONAL)

    def validate_size(self, value: int | None) -> int | None:
        if value is not None and value > settings.LTD_POST_MAX_BYTES:
            raise serializers.ValidationError(f"At most {settings.LTD_POST_MAX_BYTES} bytes.")
        return value

    def validate_sha256(self, value: str | None) -> str | None:
        if value is not None and not _SHA256.match(value):
            raise serializers.ValidationError("Must be 64 hexadecimal digits.")
        return value

    def validate_content_type(self, value: str | None) -> str | None:
        if value is None or (len(value) <= HEADER_LENGTH and _MEDIA_TYPE.match(value)):
            return value
        raise serializers.ValidationError("Must be a media type such as text/html.")


class UploadSerializer(FileSerializer):
    """A file that is sent, by the headers of `PUT /builds/<id>/objects/<key>`."""

    cache_control = TextField(**OPTIONAL)
    md5 = TextField(**OPTIONAL)

    def validate_size(self, value: int | None) -> int | None:
        return value  # `body_limit` has looked at it

    def validate_sha256(self, value: str | None) -> str | None:
        return _digits_of(value, hashlib.sha256().digest_size)

    def validate_md5(self, value: str | None) -> str | None:
        return _digits_of(value, MD5_BYTES)

    def validate_cache_control(self, value: str | None) -> str | None:
        if value is None or (len(value) <= HEADER_LENGTH and _PRINTABLE.match(value)):
            return value
        raise serializers.ValidationError("Must be a line of ASCII.")


def _digits_of(encoded: str | None, size: int) -> str | None:
    """A hash of so many bytes as headers have it, in hexadecimal digits."""
    if encoded is None:
        return None
    try:
        digest = base64.b64decode(encoded, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != size:
        raise serializers.ValidationError(f"Must be {size} bytes in Base64.")
    return digest.hex()


class StoredObjectSerializer(serializers.Serializer[Any]):
    """The response to `PUT /builds/<id>/objects/<key>`."""

    key = serializers.CharField()
    size = serializers.IntegerField()
    session_id = serializers.CharField()


class PresignedUrlsRequestSerializer(KnownFieldsOnly):
    """`POST /builds/<id>/presigned-urls`."""

    files = StrictListField(child=FileSerializer(), limit=MAX_FILES)


class SignedPostSerializer(serializers.Serializer[Any]):
    """A presigned POST: send all fields as they are, for files `Content-Type`, then `file`."""

    url = serializers.URLField()
    fields = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]


class _PostMapsSerializer(serializers.Serializer[Any]):
    post_prefix_urls = serializers.DictField(child=SignedPostSerializer())
    post_dir_urls = serializers.DictField(child=SignedPostSerializer())
    post_expires_at = serializers.DateTimeField()


class PresignedPostsSerializer(_PostMapsSerializer):
    """The response to `POST /builds/<id>/presigned-posts`."""

    session_id = serializers.CharField()


class SignedPutSerializer(serializers.Serializer[Any]):
    """A presigned PUT: send every header as it is."""

    method = serializers.CharField()
    url = serializers.URLField()
    headers = serializers.DictField(child=serializers.CharField())


class PresignedUrlsSerializer(serializers.Serializer[Any]):
    """The response to `POST /builds/<id>/presigned-urls`."""

    urls = serializers.DictField(child=SignedPutSerializer())
    expires_at = serializers.DateTimeField()
    session_id = serializers.CharField()


def render_posts(posts: SignedPosts) -> dict[str, Any]:
    """The two maps, by exactly the directories that were sent, and until when they are good."""
    shown = {"post_prefix_urls": posts.files, "post_dir_urls": posts.directories}
    maps = {
        title: {name: {"url": posts.url, "fields": fields} for name, fields in by_name.items()}
        for title, by_name in shown.items()
    }
    return {**maps, "post_expires_at": moment(posts.expires_at)}


def render_puts(puts: SignedPuts) -> dict[str, Any]:
    """The PUTs by exactly the keys that were sent."""
    return {
        "urls": {
            key: {"method": "PUT", "url": put.url, "headers": put.headers}
            for key, put in puts.files.items()
        },
        "expires_at": moment(puts.expires_at),
        "session_id": puts.session_id,
    }


class PresignedPostsView(NeverStored, APIView):
    """POSTs that need no other credentials, for the directories of one build."""

    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="presign_posts",
        request=PresignedPostsRequestSerializer,
        responses=PresignedPostsSerializer,
    )
    def post(self, request: Request, build_id: int) -> Response:
        """Two for each directory: one for any file in it, one for the object it is named by."""
        sent = valid_body(PresignedPostsRequestSerializer, request)
        posts = presign_posts(
            caller=caller_of(request),
            build_id=build_id,
            directories=sent["directories"],
            origin=origin_of(request),
            now=timezone.now(),
        )
        return Response({**render_posts(posts), "session_id": posts.session_id})


class PresignedUrlsView(NeverStored, APIView):
    """PUTs that need no other credentials, for single files of one build."""

    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="presign_urls",
        request=PresignedUrlsRequestSerializer,
        responses=PresignedUrlsSerializer,
    )
    def post(self, request: Request, build_id: int) -> Response:
        """One for each file; size, SHA-256 and content type are held to where they are said."""
        sent = valid_body(PresignedUrlsRequestSerializer, request)
        puts = presign_puts(
            caller=caller_of(request),
            build_id=build_id,
            files=[WantedFile(**file) for file in sent["files"]],
            origin=origin_of(request),
            now=timezone.now(),
        )
        return Response(render_puts(puts))


HASHES = {"sha256": "x-amz-checksum-sha256", "md5": "Content-MD5"}
UPLOAD_HEADERS = {"content_type": "Content-Type", "cache_control": "Cache-Control"} | HASHES
# An object that is stored without heeding these would be another one (RFC 9110, 8 and 13 to 14).
HEEDED = ("content-", "if-")
PASSED_ON = {title.lower() for title in ("Content-Length", *UPLOAD_HEADERS.values())}


def _require_passed_on(headers: Iterable[str]) -> None:
    """Raises ValidationError for headers that would be ignored."""
    sentence = "This header is not passed on to the store. Leave it out."
    for title in headers:
        if title.lower().startswith(HEEDED) and title.lower() not in PASSED_ON:
            raise serializers.ValidationError({title: [sentence]})


class ObjectView(APIView):
    """One object of a build, for clients that cannot reach the store."""

    http_method_names = ["put", "options"]

    @extend_schema(
        operation_id="put_object",
        request={"application/octet-stream": OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter(name, str, OpenApiParameter.HEADER, description="In Base64.")
            for name in HASHES.values()
        ],
        responses=StoredObjectSerializer,
    )
    def put(self, request: Request, build_id: int, key: str) -> Response:
        """The body goes on to the store as it arrives; nothing is kept here."""
        refuse_unknown(request.query_params, ())
        _require_passed_on(request.headers)
        sent = {name: request.headers.get(title) or None for name, title in UPLOAD_HEADERS.items()}
        size = int(request.META["CONTENT_LENGTH"])
        file = WantedFile(**valid(UploadSerializer, {"key": key, "size": size, **sent}))
        session = put_object(
            caller=caller_of(request),
            build_id=build_id,
            file=file,
            body=request.stream or io.BytesIO(),
            origin=origin_of(request),
            now=timezone.now(),
        )
        return Response({"key": key, "size": size, "session_id": session.pk})
