#!/usr/bin/env bash
# Install what must come from the system: bubblewrap and libseccomp2. Does nothing where they are, or not on Linux.
set -euo pipefail
[ "$(uname -s)" = Linux ] || exit 0
missing=()
command -v bwrap > /dev/null || missing+=(bubblewrap)
# Not `grep -q`: it leaves before ldconfig is done, and the broken pipe would read as a missing library.
if ! /sbin/ldconfig -p 2> /dev/null | grep -F libseccomp.so.2 > /dev/null; then missing+=(libseccomp2); fi
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  echo "· installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  if { apt-get install -y -q "${missing[@]}" || { apt-get update -q && apt-get install -y -q "${missing[@]}"; }; } > /dev/null 2>&1; then
    exit 0
  fi
fi
echo "Functions run in a sandbox that needs ${missing[*]}; install it (Debian, Ubuntu: sudo apt-get install ${missing[*]}). Everything else works without." >&2
