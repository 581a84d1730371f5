#!/bin/sh
# Pin what pyproject.toml asks for, with hashes. Pins stay unless it forbids them; UPGRADE=1 takes the newest.
set -eu
.venv/bin/python -m pip --disable-pip-version-check --quiet install --upgrade --target .build/uv uv

# compile FILE ARGUMENTS...: one file, for every machine and for PYTHON_VERSION or later.
compile() {
    file=$1
    shift
    .build/uv/bin/uv pip compile --quiet --universal --python-version "${PYTHON_VERSION:-3.11}" --generate-hashes \
        --no-emit-index-url --no-strip-extras --no-annotate --custom-compile-command 'make lock' ${UPGRADE:+--upgrade} \
        "$@" --output-file "$file"
}

# What is installed into one environment has the same versions everywhere.
compile requirements-dev.txt pyproject.toml --group dev
compile requirements-demo.txt pyproject.toml --group demo --constraint requirements-dev.txt
compile requirements.txt pyproject.toml --constraint requirements-dev.txt
for group in browser spark; do
    compile "requirements-$group.txt" --group "$group" --constraint requirements-dev.txt
done
PYTHON_VERSION=3.9 compile client/requirements.txt client/pyproject.toml
for group in fuzz store proof release seaweedfs; do
    compile "requirements-$group.txt" --group "$group"
done
