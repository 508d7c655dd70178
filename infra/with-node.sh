#!/usr/bin/env bash
# Runs a program of this repository on the pinned Node, after the set-up that it needs: with-node.sh [node options] FILE [arguments]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
bash "$here/infra/bootstrap.sh"
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$here/.cache/compile}"
exec "$here/node_modules/.bin/node" --disable-warning=ExperimentalWarning "$@"
