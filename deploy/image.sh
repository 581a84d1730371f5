#!/bin/sh
# Build the image ltdkeeper:VERSION. BASE is an image with Python 3.11 or later; BUILDAH has options for `buildah build`.
set -eu
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' ltdkeeper/__init__.py)
# shellcheck disable=SC2086 # several options
exec buildah build ${BUILDAH:-} --format docker ${BASE:+--build-arg "BASE=$BASE"} \
    --file deploy/Containerfile --tag "ltdkeeper:$version" .
