#!/usr/bin/env bash
# Make the virtual environment: setup.sh PYTHON VENV server|dev
set -euo pipefail
python=$1 venv=$2 kind=$3
"$python" - <<'PY' || exit 1
import sys
if sys.version_info < (3, 11):
    sys.exit(f"Dragoman needs Python 3.11 or newer; this is {sys.version.split()[0]}. Set PY=/path/to/python3.11.")
PY
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import pip' 2> /dev/null; then  # the second: a set-up that broke off
  echo "· creating $venv"
  "$python" -m venv --clear "$venv" || { echo "python3 -m venv failed: on Debian install python3-venv" >&2; exit 1; }
fi
if [ ! -x "$venv/bin/uv" ]; then
  echo "· installing uv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
fi
echo "· installing the $kind requirements (hash-pinned)"
"$venv/bin/uv" pip install -q --python "$venv/bin/python" --require-hashes -r "requirements/$kind.txt"
"$venv/bin/uv" pip install -q --python "$venv/bin/python" --no-deps --no-build-isolation -e .
touch "$venv/.server"
if [ "$kind" = dev ]; then touch "$venv/.dev"; fi
