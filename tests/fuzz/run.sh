#!/bin/bash
# usage: tests/fuzz/run.sh SECONDS [TARGET...]
# Runs the libFuzzer programs of build/fuzz (all, or those named) one after
# another, each for SECONDS, from its seeds. New inputs go to a corpus under
# build/fuzz, never into the source tree. Exit 1 when one found something; the
# input is then kept in build/fuzz/found.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tree=$root/build/fuzz
seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for program in "$tree"/tests/fuzz/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    targets+=("${program##*/fuzz_}")
  done
fi
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz program is built" >&2; exit 2; }

mkdir -p "$tree/found"
failed=()
for target in "${targets[@]}"; do
  corpus=$tree/corpus/$target
  mkdir -p "$corpus"
  log=$tree/found/$target.log
  if "$tree/tests/fuzz/fuzz_$target" -max_total_time="$seconds" \
    -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$tree/found/$target-" \
    "$corpus" "$root/tests/fuzz/seeds/$target" > "$log" 2>&1; then
    printf '%-16s %s\n' "$target" "$(grep -E '^Done ' "$log" || tail -1 "$log")"
  else
    failed+=("$target")
    printf '%-16s FAILED, see %s\n' "$target" "$log"
  fi
done
[ ${#failed[@]} -eq 0 ] || { echo "found something: ${failed[*]}" >&2; exit 1; }
