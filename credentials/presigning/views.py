"""Presigned POSTs and PUTs over HTTP: parse, call one service, render."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials.access.permissions import caller_of
from credentials.presigning.posts import presign_posts
from credentials.presigning.puts import presign_puts
from credentials.presigning.serializers import (
    PresignedPostsRequestSerializer,
    PresignedPostsSerializer,
    PresignedUrlsRequestSerializer,
    PresignedUrlsSerializer,
    render_posts,
    render_puts,
)
from ltdkeeper.origins import origin_of
from ltdkeeper.wire import NeverStored


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
        serializer = PresignedPostsRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        posts = presign_posts(
            caller=caller_of(request),
            build_id=build_id,
            directories=serializer.validated_data["directories"],
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
        serializer = PresignedUrlsRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        puts = presign_puts(
            caller=caller_of(request),
            build_id=build_id,
            files=serializer.wanted(),
            origin=origin_of(request),
            now=timezone.now(),
        )
        return Response(render_puts(puts))
