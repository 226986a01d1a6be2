#!/bin/bash
# usage: bench/add.sh [--docs] [OPTION...]
# Measures ADD and DEL of the release build; see linsey-bench-add --help.
# Figures go to build/bench/add.json, the picture to build/bench/add.svg, with
# --docs to docs/bench-add.svg. Exit code 0: every bar holds.
# Everything measured runs at nice -10, all contenders and the agent alike, so
# that other work on the machine disturbs less; where the kernel schedules by
# session (autogroup), the session gets that weight too.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ "$(id -u)" -eq 0 ] || { echo "the benchmark makes network namespaces; run it as root" >&2; exit 2; }
picture=$root/build/bench/add.svg
if [ "${1:-}" = --docs ]; then
  picture=$root/docs/bench-add.svg
  shift
fi
mkdir -p "$root/build/bench"
if [ -w /proc/self/autogroup ]; then
  echo -10 > /proc/self/autogroup || true
fi
export LINSEY_SOURCE=$root LINSEY_BUILD=$root/build/release
exec nice -n -10 "$LINSEY_BUILD/bench/linsey-bench-add" --json "$root/build/bench/add.json" \
  --svg "$picture" "$@"
