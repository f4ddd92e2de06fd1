#!/usr/bin/env bash
# Install what the tests need from npm: the third parties that nobody here wrote. Quick when it is all there.
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob
for lock in tests/real/*/package-lock.json; do
  folder=$(dirname "$lock")
  if [ "$folder/node_modules/.package-lock.json" -nt "$lock" ]; then continue; fi
  if ! command -v npm >/dev/null; then
    echo "npm is missing: install Node.js 20 or newer (the tests run real OAuth providers written in it)." >&2
    exit 1
  fi
  echo "· installing the packages of $folder"
  (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error)
  touch "$folder/node_modules/.package-lock.json"
done
