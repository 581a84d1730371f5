#!/bin/sh
# Make the image ltdkeeper-base from Debian's packages, for those who use no registry; as root.
set -eu
rm -rf .build/base
debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm .build/base
rm -rf .build/base/var/cache/apt/* .build/base/var/lib/apt/lists/*
base=$(buildah from scratch)
buildah add --quiet "$base" .build/base /
buildah commit --rm "$base" ltdkeeper-base
