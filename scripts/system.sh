#!/usr/bin/env bash
# Install what must come from the system. Does nothing where it is there, or not on Linux.
# system.sh          bubblewrap and libseccomp2, for the sandbox
# system.sh browser  Chromium and a Japanese font, for the tests of the browser pages
set -euo pipefail
[ "$(uname -s)" = Linux ] || exit 0
missing=()
if [ "${1:-}" = browser ]; then
  why="The tests of the browser pages need"
  else="They fail without, everything else works."
  command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null || missing+=(chromium)
  if ! { command -v fc-list > /dev/null && [ -n "$(fc-list :lang=ja family)" ]; } && [ ! -d /usr/share/fonts/opentype/ipafont-gothic ]; then
    missing+=(fonts-ipafont-gothic)
  fi
else
  why="Functions run in a sandbox that needs"
  else="Everything else works without."
  command -v bwrap > /dev/null || missing+=(bubblewrap)
  # Not `grep -q`: it leaves before ldconfig is done, and the broken pipe would read as a missing library.
  if ! /sbin/ldconfig -p 2> /dev/null | grep -F libseccomp.so.2 > /dev/null; then missing+=(libseccomp2); fi
fi
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  echo "· installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  install=(apt-get install -y -q --no-install-recommends "${missing[@]}")
  if { "${install[@]}" || { apt-get update -q && "${install[@]}"; }; } > /dev/null 2>&1; then
    exit 0
  fi
fi
echo "$why ${missing[*]}; install it (Debian, Ubuntu: sudo apt-get install ${missing[*]}). $else" >&2
