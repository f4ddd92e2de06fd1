#!/usr/bin/env bash
# Build the browser pages into src/dragoman_server/ui_dist; nothing to do when neither sources nor lock changed.
# ui.sh VENV            build
# ui.sh VENV check|test the pages' own linter and types, their own tests
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(realpath "${1:-.venv}")
what=${2:-build}
built=src/dragoman_server/ui_dist

if [ "$what" = build ]; then
  sources=$("$venv/bin/python" hatch_build.py)
  if [ -f "$built/connect/index.html" ] && [ "$(cat "$built/.sources" 2> /dev/null)" = "$sources" ]; then exit 0; fi
fi
. scripts/npm.sh
npm_ci ui
if [ "$what" != build ]; then
  cd ui
  exec "${npm[@]}" run --silent "$what"
fi
echo "· building the browser pages"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
(cd ui && "${npm[@]}" run --silent build) > "$log" 2>&1 || { cat "$log" >&2; exit 1; }
echo "$sources" > "$built/.sources"
