#!/usr/bin/env bash
# Tests of ./cpr and of the hunter of planted bugs, from outside: what is typed, what comes back, and with
# which exit status. usage: cli_test.sh CASE HUNTER (the cpr-mutants program). The hunter runs in a copy of
# fixture/.
# shellcheck disable=SC2016  # what stands in single quotes is for other shells
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cpr=$here/../../cpr
hunter=${2:-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $*"
  [ -s "$scratch/output" ] && sed 's/^/  | /' "$scratch/output"
  exit 1
}

# Runs a command; what it prints is in $scratch/output.
expect_status() {  # STATUS COMMAND...
  local wanted=$1 status
  shift
  "$@" >"$scratch/output" 2>&1 </dev/null
  status=$?
  [ $status -eq "$wanted" ] || fail "status $status instead of $wanted: $*"
}
expect_text() { grep -qE -- "$1" "$scratch/output" || fail "no line matches: $1"; }
expect_one_line() { [ "$(wc -l <"$scratch/output")" -eq 1 ] || fail "one line was expected"; }

case_help() {
  expect_status 0 "$cpr" help
  expect_text '^usage: ./cpr SUBCOMMAND'
  expect_text '^Examples:'
  expect_text '^  doctor '
  expect_status 0 "$cpr" doctor --help
  expect_text '^usage: ./cpr doctor'
  expect_status 0 "$cpr" help test
  expect_text '--budget SECONDS'
}

# What help lists exists: each subcommand answers --help.
case_help_of_each() {
  local command
  for command in $("$cpr" help | sed -n 's/^  \([a-z]\+\) .*/\1/p' | grep -v -e '^help$'); do
    expect_status 0 "$cpr" "$command" --help
    expect_text '^usage: '
  done
}

case_unknown_words() {
  expect_status 2 "$cpr" no-such-subcommand
  expect_one_line
  expect_status 2 "$cpr" help no-such-subcommand
  expect_one_line
  expect_status 2 "$cpr" doctor --no-such-flag
  expect_one_line
  expect_status 2 "$cpr" test --no-such-flag
  expect_one_line
  expect_status 2 "$cpr" test --budget soon
  expect_one_line
  expect_status 2 "$hunter" --no-such-flag
  expect_one_line
}

case_doctor() {
  expect_status 0 "$cpr" doctor
  expect_text '^ok +compiler +g\+\+'
  expect_text '^(ok|note) +wrfsbase '
  expect_text '^ok +package cmake '
  expect_status 0 "$cpr" doctor --json
  expect_text '"name": "memory", "state": "(ok|note)"'
  tail -n 1 "$scratch/output" | grep -qx '}' || fail "not an object"
}

# Without the right to install: the command that does it, and nothing else. The packages are made to be
# missing by a dpkg-query that knows none, the rights by an id that is not root's.
case_no_rights() {
  mkdir "$scratch/bin"
  printf '#!/bin/sh\nexit 1\n' | tee "$scratch/bin/sudo" >"$scratch/bin/dpkg-query"
  printf '#!/bin/sh\necho 1000\n' >"$scratch/bin/id"
  chmod +x "$scratch/bin"/*
  expect_status 2 env PATH="$scratch/bin:$PATH" "$cpr" test
  expect_text 'sudo sh -c .apt-get update && apt-get install -y --no-install-recommends g\+\+ '
  expect_one_line
}

# The parts of ./cpr as functions, in a shell of their own; the script is the next argument.
with_parts=(bash -c 'set -uo pipefail; root=$1 cores=1 child=
  for part in lib test; do . "$2/../../experiments/cli/$part.sh"; done
  eval "$3"' parts "$scratch" "$here")

# The closing line adds up, skipped tests are neither, and a part without a report is not taken for a pass.
case_test_counts() {
  local two='count_junit two "$root/two.xml"; '
  {
    printf '<?xml version="1.0"?>\n<testsuite name="(empty)"\n\ttests="7"\n\tfailures="1"\n\tdisabled="1"\n'
    printf '\tskipped="2"\n>\n<testcase name="x" tests="9"/></testsuite>\n'
  } >"$scratch/one.xml"
  printf '<testsuite name="mutants" tests="4" failures="0" skipped="0">\n</testsuite>\n' >"$scratch/two.xml"
  expect_status 1 "${with_parts[@]}" "$two"'count_junit one "$root/one.xml"; finish_tests "$root/all"'
  expect_text '^one +3 passed, 1 failed, 3 skipped$'
  [ "$(tail -n 1 "$scratch/output")" = "7 passed, 1 failed" ] || fail "not the closing line"
  [ "$(grep -c '<testsuite ' "$scratch/all")" -eq 2 ] || fail "two suites in the report"
  expect_status 0 "${with_parts[@]}" "$two"'finish_tests ""'
  expect_status 3 "${with_parts[@]}" "$two"'count_junit gone "$root/gone.xml"; finish_tests ""'
}

case_budget_ends_a_part() {
  expect_status 124 "${with_parts[@]}" 'run_logged slow "$root/log" $((SECONDS + 2)) sleep 30'
}

# A signal to ./cpr alone ends what it runs, with its output in a log or on the terminal.
case_stops_what_it_runs() {
  stops 'run_logged slow "$root/log" 0' TERM
  stops run_child TERM
}

stops() {  # HOW SIGNAL
  local part begin state
  rm -f "$scratch/pid"
  "${with_parts[@]}" "$1"' bash -c "echo \$\$ >$root/pid; sleep 300"' >"$scratch/output" 2>&1 &
  part=$!
  for _ in $(seq 100); do
    [ -s "$scratch/pid" ] && break
    sleep 0.1
  done
  begin=$(date +%s%N)
  kill -"$2" $part
  wait $part
  [ $((($(date +%s%N) - begin) / 1000000)) -lt 1000 ] || fail "took more than a second to stop"
  sleep 0.1
  state=$(awk '{print $3}' "/proc/$(cat "$scratch/pid")/stat" 2>/dev/null)
  [ "${state:-Z}" = Z ] || fail "what it ran goes on"
  expect_text 'cpr: stopped'
}

make_world() {
  cp -r "$here/fixture" "$scratch/world"
  world=$scratch/world
  # As ./cpr builds: ccache makes the paths of headers relative.
  export CCACHE_DIR=$scratch/ccache CCACHE_BASEDIR=$world CCACHE_NOHASHDIR=1
  cmake -S "$world" -B "$world/build/sim" -G Ninja -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    >"$scratch/output" 2>&1 || fail "fixture: configure"
  ninja -C "$world/build/sim" >"$scratch/output" 2>&1 || fail "fixture: build"
  patches=$world/tests/mutants
  export CPR_ROOT=$world
}

case_mutants_found() {
  make_world
  expect_status 0 "$hunter" --out "$scratch/out" --seed 5 A01-more A02-fewer
  expect_text '^A01-more +A +found +R3 +7 executions'
  expect_text '^A02-fewer +A +found +R4 '
  expect_text './cpr replay .*A01-more.*--subject .*A01-more/faster_subject.so'
  grep -q '"found": 2' "$scratch/out/results.json" || fail "results.json"
  grep -q 'return 10' "$world/experiments/crash/engine.h" || fail "the source was changed"
  # The objects of the finished build are read, never written.
  ninja -C "$world/build/sim" -n >"$scratch/output" 2>&1
  expect_text 'no work to do'
}

# Each of several seeds has to find it; the rebuilt program serves them all.
case_mutants_seeds() {
  make_world
  expect_status 0 "$hunter" --out "$scratch/out" --seed 5 --seeds 3 A01-more
  expect_text '^A01-more +A +found +R3 +7 executions'
  for seed in 5 6 7; do
    grep -q "\"seed\": $seed" "$scratch/out/results.json" || fail "seed $seed in results.json"
    [ -f "$scratch/out/A01-more/hunt-$seed/results.json" ] || fail "the campaign of seed $seed"
  done
  expect_status 1 "$hunter" --out "$scratch/out" --seed 12 --seeds 3 A01-more
  expect_text '^A01-more +A +MISSED +- .*no violation'
  expect_text '^0 found, 1 missed'
}

case_mutants_missed() {
  make_world
  expect_status 1 "$hunter" --out "$scratch/out" --junit "$scratch/junit.xml"
  expect_text '^B01-wrong-rule +B +MISSED +R4 .*another violation'
  expect_text '^B02-harmless +B +MISSED +- .*no violation'
  expect_text '^2 found, 2 missed'
  grep -q 'tests="4" failures="2"' "$scratch/junit.xml" || fail "junit"
  expect_status 1 "$hunter" --out "$scratch/out" --one-per-group
  expect_text '^1 found, 1 missed'
}

# The named violation counts only if the clean engine passes.
case_mutants_clean_engine() {
  make_world
  sed -i 's/return 10/return 11/' "$world/experiments/crash/engine.h"
  ninja -C "$world/build/sim" >"$scratch/output" 2>&1 || fail "fixture: build"
  sed -i '0,/Units() + 1/s//Units() + 2/' "$patches/A01-more.patch"
  expect_status 1 "$hunter" --out "$scratch/out" A01-more
  expect_text 'MISSED .*the clean engine violates R3 too'
}

case_mutants_strangers() {
  make_world
  mkdir "$scratch/patches"
  sed '1,/^$/d' "$patches/B01-wrong-rule.patch" >"$scratch/patches/theirs.patch"
  expect_status 0 "$hunter" --out "$scratch/out" --patches "$scratch/patches"
  expect_text '^theirs +- +found +R4 '
}

case_mutants_bad_input() {
  make_world
  mkdir "$scratch/patches"
  expect_status 2 "$hunter" --patches "$scratch/nowhere"
  expect_one_line
  expect_status 2 "$hunter" --patches "$scratch/patches"
  expect_one_line
  expect_status 2 "$hunter" no-such-bug
  expect_one_line
  sed 's/return 10/return 12/' "$patches/B01-wrong-rule.patch" >"$scratch/patches/stale.patch"
  expect_status 2 "$hunter" --patches "$scratch/patches"
  expect_text 'stale.patch: does not apply'
  expect_one_line
  sed -i 's/^Mode: sim/Mode: magic/' "$scratch/patches/stale.patch"
  expect_status 2 "$hunter" --patches "$scratch/patches"
  expect_text "'Mode: magic' is not understood"
  expect_one_line
}

case_mutants_does_not_build() {
  make_world
  sed -i 's/^+  int units = .*/+  int units = nothing;/' "$patches/A01-more.patch"
  expect_status 1 "$hunter" --out "$scratch/out" A01-more
  expect_text 'MISSED .*does not build'
}

# Interrupted: ended within a second, and what was done is there.
case_mutants_interrupted() {
  local hunt begin status
  make_world
  sed -i 's/^+inline.*/+inline int Units() { return -1; }/' "$patches/B01-wrong-rule.patch"
  "$hunter" --out "$scratch/out" --jobs 1 A01-more B01-wrong-rule >"$scratch/output" 2>&1 &
  hunt=$!
  for _ in $(seq 200); do
    [ -e "$scratch/out/B01-wrong-rule/hunt" ] && break
    sleep 0.1
  done
  sleep 0.2
  begin=$(date +%s%N)
  kill -INT $hunt
  wait $hunt
  status=$?
  [ $status -eq 130 ] || fail "status $status instead of 130"
  [ $((($(date +%s%N) - begin) / 1000000)) -lt 1500 ] || fail "took more than a second to stop"
  expect_text '^1 found, 0 missed'
  grep -q '"finished": false' "$scratch/out/results.json" || fail "results.json"
}

declare -F "case_${1:-}" >/dev/null || { echo "usage: cli_test.sh CASE HUNTER" >&2; exit 2; }
"case_$1"
