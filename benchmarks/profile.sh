#!/bin/sh
# Where Belfry's time goes in one row: runs it once under perf and prints the top symbols, the preparations left out.
#   benchmarks/profile.sh fanout-16 [more options of run.py]
# The record stays in build/profile-<row>.data for `perf report` and `perf annotate`.
set -eu

[ $# -ge 1 ] || { echo "usage: benchmarks/profile.sh <row> [options of run.py]" >&2; exit 2; }
command -v perf >/dev/null || { echo "perf is not installed (Debian: linux-perf)" >&2; exit 1; }
here=$(dirname "$0")
row=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 "$here/run.py" --rows "$row" --rounds 1 --out "$folder/table" --profile "$folder/perf.data" "$@" || true
[ -s "$folder/perf.data" ] || { echo "nothing was recorded" >&2; exit 1; }
keep="$here/../build/profile-$row.data"
cp "$folder/perf.data" "$keep"
echo "--- by object"
perf report -i "$keep" --stdio --no-children --sort dso --percent-limit 0.5 2>/dev/null | grep -v '^#' | grep . || true
echo "--- by symbol"
perf report -i "$keep" --stdio --no-children --sort dso,symbol --percent-limit 0.3 2>/dev/null | grep -v '^#' | grep . | cut -c1-180 | head -70
