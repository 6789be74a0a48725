#!/bin/bash
# campaign_test.sh CASE CPR_CRASH: the crash campaign of transactions as its users run it.
set -u
case=$1
crash=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  echo "$case: $*" >&2
  exit 1
}
run() { "$crash" --subject txn "$@" --jobs 1 --out "$work/out"; }

case $case in
  passes)
    run 3 --executions 600 >"$work/text" || fail "the clean store did not pass: $(cat "$work/text")"
    grep -q '^PASS' "$work/text" || fail "no verdict"
    grep -q 'WaitFlush' "$work/text" || fail "no phase table"
    ;;
  same_seeds)
    run --seeds 50..149 --json >"$work/one" || fail "did not pass"
    run --seeds 50..149 --json >"$work/two" || fail "did not pass"
    figures() { grep -E '"(executions|recoveries|transactions|commits_durable|steps)"' "$1"; }
    [ "$(figures "$work/one")" = "$(figures "$work/two")" ] || fail "the same seeds did something else"
    ;;
  replays)
    run 4 --executions 3 --record 3 >/dev/null || fail "did not pass"
    for folder in "$work"/out/recorded/*; do
      "$crash" replay "$folder" >"$work/text" || fail "a recorded execution did not replay"
      grep -q 'as recorded' "$work/text" || fail "another trace"
      grep -q 'CRASH; recovery' "$work/text" || fail "no history"
    done
    folder=$(ls -d "$work"/out/recorded/* | head -1)
    sed -i 's/"hash": "./"hash": "g/; s/"hash": "g/"hash": "0/' "$folder/txn.json"
    sed -i 's/"seed": [0-9]*/"seed": 1/' "$folder/txn.json"
    rm "$folder/tape"
    "$crash" replay "$folder" --quiet >/dev/null 2>&1
    [ $? -eq 3 ] || fail "another execution was taken for the recorded one"
    ;;
  scenario_file)
    run 4 --executions 1 --record 1 >/dev/null || fail "did not pass"
    run 5 --executions 50 --scenario "$(ls -d "$work"/out/recorded/*)" >"$work/text" || fail "did not pass"
    grep -q '^50 executions' "$work/text" || fail "not 50 executions"
    ;;
  bad_input)
    expect2() {
      "$@" >/dev/null 2>"$work/error"
      [ $? -eq 2 ] || fail "status is not 2: $*"
      [ "$(wc -l <"$work/error")" -eq 1 ] || fail "not one line: $*"
    }
    expect2 run --scheme undo
    expect2 run --seeds 5..2
    expect2 run --scenario /nonexistent
    expect2 run --policy quick
    expect2 run 1 2
    echo '{"store": {"scheme": "cpr"}, "lives": []}' >"$work/empty.json"
    expect2 run --scenario "$work/empty.json"
    ;;
  schemes)
    for scheme in cpr calc wal; do
      run 6 --executions 60 --scheme $scheme >"$work/text" || fail "$scheme did not pass"
      grep -q "^$scheme " "$work/text" || fail "$scheme is not in the table"
      [ "$(grep -cE '^(cpr|calc|wal) ' "$work/text")" -eq 1 ] || fail "others than $scheme ran"
    done
    ;;
  *) fail "no such case" ;;
esac
