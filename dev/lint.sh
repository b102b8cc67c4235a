#!/bin/bash
# lint.sh BUILD: clang-tidy over every source that BUILD (configured with clang) compiles. Fails on any finding.
set -eu -o pipefail
cd "$(dirname "$0")/.."

sed -n 's/^ *"file": "\(.*\)",*$/\1/p' "$1/compile_commands.json" | sort -u |
    xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$1" 2> >(grep -Ev '^[0-9]+ warnings? (generated|treated)' >&2)
