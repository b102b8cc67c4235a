#!/bin/sh
# lint.sh BUILD: clang-tidy over every source that BUILD (configured with clang) compiles. Fails on any finding.
set -eu
cd "$(dirname "$0")/.."

run-clang-tidy -quiet -p "$1" "^$PWD/(src|cli|tests)/"
