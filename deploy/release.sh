#!/bin/sh
# Build the last commit's wheel, list its components (SBOM) and hash them, in .build/release.
set -eu
PIP='.venv/bin/python -m pip --disable-pip-version-check --quiet'
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' ltdkeeper/__init__.py)

rm -rf .build/release .build/source .build/alone
mkdir -p .build/release .build/source
git archive HEAD | tar -x -C .build/source
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
$PIP --python .venv-release/bin/python wheel --no-deps --no-build-isolation --wheel-dir .build/release .build/source
cp .build/source/requirements.txt .build/release

# The components are those of an environment that has nothing else.
.venv/bin/python -m venv --without-pip .build/alone
$PIP --python .build/alone/bin/python install --no-compile --no-deps --require-hashes -r requirements.txt
$PIP --python .build/alone/bin/python install --no-compile --no-deps .build/release/*.whl
sed "s/^dynamic = .*/version = \"$version\"/" pyproject.toml > .build/alone/pyproject.toml
.venv-release/bin/cyclonedx-py environment --pyproject .build/alone/pyproject.toml \
    --output-reproducible --output-file ".build/release/ltdkeeper-$version.cdx.json" .build/alone

.venv-release/bin/kubernetes-validate --strict --quiet deploy/kubernetes*.yml
cd .build/release
sha256sum -- *[!S] | tee SHA256SUMS
