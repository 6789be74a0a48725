# shellcheck shell=bash disable=SC2154  # root, cores and the package lists come from cpr
# Shared by the parts of ./cpr: packages, builds, and long commands that show one line and can be stopped.
# Sets nothing but functions. Expects: root, cores, child.

die() {
  echo "cpr: $*" >&2
  exit 2
}

# Ctrl-C, or a signal to ./cpr alone: the running job is a process group of its own and goes with us.
stop_child() {
  trap '' INT TERM
  [ -n "$child" ] && kill -TERM -- "-$child" 2>/dev/null
  [ -t 2 ] && printf '\r\033[K' >&2
  echo "cpr: stopped" >&2
  exit 130
}

# Runs a program that is not the last: a signal to ./cpr alone ends it too.
run_child() {  # COMMAND...
  local status
  trap stop_child INT TERM
  set -m
  "$@" &
  child=$!
  set +m
  wait "$child"
  status=$?
  child=
  trap - INT TERM
  return $status
}

# Runs a command; its output goes to LOG, its last line to the terminal. DEADLINE (seconds of $SECONDS, or 0):
# past it the command is ended and the status is 124.
run_logged() {  # LABEL LOG DEADLINE COMMAND...
  local label=$1 log=$2 deadline=$3 status
  shift 3
  mkdir -p "$(dirname "$log")"
  printf '$ %s\n' "$*" >"$log"
  trap stop_child INT TERM
  set -m
  { "$@" 2>&1 </dev/null | follow "$label" "$log" "$deadline"; } &
  child=$!
  set +m
  wait "$child"
  status=$?
  child=
  trap - INT TERM
  if [ $status -ne 0 ] && [ "$deadline" -gt 0 ] && [ $SECONDS -ge "$deadline" ]; then return 124; fi
  return $status
}

follow() {  # LABEL LOG DEADLINE; lines on stdin
  local label=$1 log=$2 deadline=$3 line='' last='' start=$SECONDS shown=$((SECONDS - 9)) status
  while :; do
    IFS= read -r -t 1 line
    status=$?
    if [ $status -eq 0 ]; then
      printf '%s\n' "$line" >>"$log"
      last=$line
    elif [ $status -le 128 ]; then
      [ -n "$line" ] && printf '%s\n' "$line" >>"$log"
      break
    fi
    if [ -t 2 ]; then
      printf '\r\033[K%.*s' "$((${COLUMNS:-100} - 1))" "$label: $((SECONDS - start)) s  ${last//$'\r'/}" >&2
    elif [ $((SECONDS - shown)) -ge 10 ]; then
      printf '%.160s\n' "$label: $((SECONDS - start)) s  $last" >&2
      shown=$SECONDS
    fi
    if [ "$deadline" -gt 0 ] && [ $SECONDS -ge "$deadline" ]; then
      [ -t 2 ] && printf '\r\033[K' >&2
      kill -TERM 0  # the whole job, this function included
    fi
  done
  [ -t 2 ] && printf '\r\033[K' >&2
  return 0
}

missing_packages() {
  local package status
  for package in "$@"; do
    # shellcheck disable=SC2016  # dpkg-query's own variable
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)
    [ "$status" = installed ] || echo "$package"
  done
}

install_command() { echo "apt-get update && apt-get install -y --no-install-recommends $*"; }

installed_now=no
install_packages() {
  local -a missing sudo=()
  local log=$root/build/install.log
  command -v dpkg-query >/dev/null || die "this needs Debian 12 (dpkg and apt-get); packages: $*"
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then
      sudo=(sudo -n)
    else
      die "packages are missing; install them with: sudo sh -c '$(install_command "${missing[@]}")'"
    fi
  fi
  # An interrupted installation leaves packages half configured; the next one would refuse.
  [ -z "$(dpkg --audit 2>/dev/null)" ] || "${sudo[@]}" dpkg --configure -a >/dev/null 2>&1
  if ! run_logged "reading the package lists" "$log" 0 "${sudo[@]}" apt-get -q update; then
    tail -n 5 "$log" >&2
    die "apt-get update failed (log: $log)"
  fi
  if ! run_logged "installing ${#missing[@]} packages" "$log" 0 "${sudo[@]}" \
    env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"; then
    tail -n 5 "$log" >&2
    die "installing failed (log: $log); by hand: $(install_command "${missing[@]}")"
  fi
  installed_now=yes
}

program_path() {  # PRESET NAME
  local path
  path=$(find "$root/build/$1/experiments" "$root/build/$1/plots" -name "$2" -type f -perm -u+x 2>/dev/null |
    head -n 1)
  [ -n "$path" ] || { echo "cpr: no program $2 in build/$1" >&2; return 1; }
  echo "$path"
}

lock_build() {  # PRESET: one build of a world at a time
  exec 9>"$root/build/$1/.lock"
  flock -n 9 && return
  echo "cpr: waiting for another build of $1" >&2
  until flock -w 1 9; do :; done
}

# Says why a world has to be configured (again), or nothing.
configure_reason() {  # PRESET TESTS(ON|OFF)
  local directory=$root/build/$1 home
  [ -f "$directory/build.ninja" ] || { echo new; return; }
  home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$directory/CMakeCache.txt")
  [ "$home" = "$root" ] || { echo moved; return; }
  [ "$installed_now" = yes ] && { echo packages; return; }
  [ "$2" = ON ] && grep -q '^CPR_TESTS:BOOL=OFF' "$directory/CMakeCache.txt" && echo tests
}

configure() {  # PRESET TESTS
  local reason tests=$2
  local -a fresh=()
  reason=$(configure_reason "$1" "$2")
  [ -n "$reason" ] || return 0
  [ "$reason" = moved ] && fresh=(--fresh)
  [ "$reason" = packages ] && grep -q '^CPR_TESTS:BOOL=ON' "$root/build/$1/CMakeCache.txt" && tests=ON
  (cd "$root" && cmake --preset "$1" "${fresh[@]}" -DCPR_TESTS="$tests")
}

# The worlds share what they compile alike: ccache sees paths from the root on, and not the build folder.
build_quietly() {  # PRESET TESTS TARGET...
  local preset=$1 tests=$2
  shift 2
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
  configure "$preset" "$tests" && NINJA_STATUS='[%f/%t] ' ninja -C "$root/build/$preset" -j "$cores" "$@"
}

# The error and its surroundings rather than the last lines, which belong to other files.
show_build_errors() {  # LOG
  local first
  first=$(grep -nE -m 1 '^FAILED|CMake Error|ninja: error|error:' "$1" | cut -d: -f1)
  if [ -n "$first" ]; then
    sed -n "$first,$((first + 25))p" "$1" | cut -c1-300 >&2
  else
    tail -n 15 "$1" >&2
  fi
}

try_build() {  # PRESET TESTS DEADLINE TARGET...: 0, or the status of the failed build with its error shown
  local preset=$1 tests=$2 deadline=$3 log=$root/build/$1/build.log status
  shift 3
  mkdir -p "$root/build/$preset"
  lock_build "$preset"
  run_logged "building $preset" "$log" "$deadline" build_quietly "$preset" "$tests" "$@"
  status=$?
  exec 9>&-
  if [ $status -ne 0 ] && [ $status -ne 124 ]; then
    show_build_errors "$log"
    echo "cpr: the $preset build failed (full log: build/$preset/build.log)" >&2
  fi
  return $status
}

build() {  # PRESET TARGET...
  local preset=$1
  shift
  try_build "$preset" OFF 0 "$@" || exit 3
}
