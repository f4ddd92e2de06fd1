#!/usr/bin/env bash
# Install what the tests need from npm: the third parties that nobody here wrote. node.sh VENV
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(realpath "${1:-.venv}")
shopt -s nullglob
. scripts/npm.sh
for lock in tests/real/*/package-lock.json; do npm_ci "$(dirname "$lock")"; done
