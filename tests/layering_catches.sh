#!/bin/sh
# Adds an illegal include to a copy of the tree and expects layering.py to
# refuse it, by file and line.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/ipam" "$copy/rpc"
printf '#include "base/result.h"\n#include "netlink/types.h"\n' > "$copy/ipam/bad.h"
printf '#include "ipam/types.h"\n#include "ipam/ledger.h"\n' > "$copy/rpc/bad.cpp"
if out=$(python3 "$here/layering.py" "$copy"); then
  echo "layering.py accepted an illegal include"
  exit 1
fi
echo "$out" | grep -q 'ipam/bad.h:2: ipam may not include netlink/types.h'
echo "$out" | grep -q 'rpc/bad.cpp:2: rpc may not include ipam/ledger.h'
[ "$(echo "$out" | wc -l)" -eq 2 ]
