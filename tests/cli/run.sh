#!/bin/sh
# run.sh SCRIPT: runs one command-line test in an empty folder of its own. FN_BIN: the built tools,
# FN_SOURCE: the project. The script fails with the first command that fails (set -e).
set -eu
script=$(readlink -f "$1")
FN_TEST_DATA=${FN_TEST_DATA:-$FN_SOURCE/../shared/data}
PATH=$FN_BIN:$PATH
TOOLS=$FN_SOURCE/tests/cli/tools.sh
export FN_TEST_DATA PATH TOOLS
dir=$(mktemp -d "${TMPDIR:-/tmp}/fn-cli-XXXXXX")
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
export HOME="$dir" # what a run puts into ~/models and ~/logs by default is no one's but the test's
LC_ALL=C bash -eu "$script"
