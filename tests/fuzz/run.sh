#!/bin/sh
# Runs one fuzz target over a temporary copy of its corpus: run.sh TARGET CORPUS. A crash leaves its input's text in the
# output, in base64.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -n "$(ls "$2")" ] || { echo "the corpus $2 is empty" >&2; exit 1; }
cp "$2"/* "$work"
mkdir "$work.crash"
trap 'rm -rf "$work" "$work.crash"' EXIT
"$1" -runs=20000 -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 \
	-artifact_prefix="$work.crash/" "$work"
