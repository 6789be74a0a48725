#!/usr/bin/env bash
# Plants two bugs in a copy of the reference subject: operations do without its lock, so that updates are
# lost, and deleting key 7 kills the process. usage: plant.sh SOURCE COPY
set -euo pipefail
sed -e '/SubjectResult Apply(/,/^  }/{/lock_guard/d}' \
  -e '/^SubjectResult Session::Delete(/a\  if (key == 7) raise(SIGKILL);' \
  -e '/^#include <algorithm>/i\#include <signal.h>\n' "$1" >"$2.new"
[ "$(diff "$1" "$2.new" | grep -c '^[<>]')" = 4 ] || { echo "plant.sh: $1 has changed" >&2; exit 1; }
mv "$2.new" "$2"
