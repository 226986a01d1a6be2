#!/bin/bash
# What a durable change of the ledger costs, beside the disk's own sync time.
# usage: bench/store.sh [--json] [DIRECTORY]   (default: the build tree's disk)
set -eu
cd "$(dirname "$0")/.."
build=${LINSEY_BUILD:-build/release}
case ${*: -1} in
  '' | -*) set -- "$@" "$build" ;;
esac
exec "$build/bench/linsey-bench-store" "$@"
