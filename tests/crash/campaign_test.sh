#!/usr/bin/env bash
# The crash program from outside, on the reference subject: flags, results, replays, interruption.
# usage: campaign_test.sh CASE PROGRAM REFERENCE_SUBJECT
set -uo pipefail
case=$1 program=$2 subject=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
field() { python3 -c "import json,sys; r=json.load(open('$1')); print(eval('r' + sys.argv[1]))" "$2"; }
crash() { "$program" "$@" --subject "$subject" --out "$work/out" >"$work/stdout" 2>"$work/stderr"; }

passes() {
  crash 5 --executions 2500 || fail "exit status $?: $(cat "$work/stdout" "$work/stderr")"
  [ "$(field "$work/out/results.json" "['valid']")" = True ] || fail "not valid"
  [ "$(field "$work/out/results.json" "['executions']")" = 2500 ] || fail "executions"
  [ "$(field "$work/out/results.json" "['violations']")" = 0 ] || fail "violations"
  [ "$(field "$work/out/results.json" "['coverage']['log/snapshot']['WaitFlush']['reachable']")" = True \
    ] || fail "reachable"
  [ "$(field "$work/out/results.json" "['coverage']['log/snapshot']['WaitFlush']['crashes'] > 0")" = \
    True ] || fail "crashes"
  [ "$(field "$work/out/results.json" "['double_runs'] > 20")" = True ] || fail "double runs"
  grep -q '^PASS' "$work/stdout" || fail "no verdict"
  grep -q '</html>' "$work/out/report.html" || fail "no page"
}

# Every step of one schedule, every fate, and once more inside recovery; the same figures whoever shares them.
exhaustive() {
  crash 1 --exhaustive --checkpoint log --log foldover --jobs 1 || fail "$(cat "$work/stdout" "$work/stderr")"
  local key first
  for key in "['steps']" "['moments']" "['depths'][0]['images']"; do
    [ "$(field "$work/out/results.json" "['exhaustive']$key > 20")" = True ] || fail "$key"
  done
  [ "$(field "$work/out/results.json" "['exhaustive']['depths'][0]['moments']")" = \
    "$(field "$work/out/results.json" "['exhaustive']['moments']")" ] || fail "not all moments"
  grep -q '^exhaustive: .* steps with .* events' "$work/stdout" || fail "not said"
  first=$(field "$work/out/results.json" "['exhaustive']")
  crash 1 --exhaustive --checkpoint log --log foldover --jobs 3
  [ "$(field "$work/out/results.json" "['exhaustive']")" = "$first" ] || fail "not the same: $first"
  crash --seeds 1..8 --exhaustive || fail "$(cat "$work/stdout" "$work/stderr")"
  [ "$(field "$work/out/results.json" "['exhaustive']['schedules']")" = 8 ] || fail "schedules"
}

# The same seeds give the same figures, however many workers share them.
same_seeds() {
  crash --seeds 1..600 --scenario default --policy random:0.02 --jobs 1  # too few to reach every cell
  local first
  first=$(field "$work/out/results.json" "['steps']")
  crash --seeds 1..600 --scenario default --policy random:0.02 --jobs 3
  [ "$first" -gt 100000 ] && [ "$(field "$work/out/results.json" "['steps']")" = "$first" ] ||
    fail "not the same executions"
}

never_hit() {  # one execution cannot crash everywhere: said, and exit status 3
  crash 1 --executions 1
  [ $? = 3 ] || fail "exit status"
  grep -q 'never crashed in' "$work/stdout" || fail "not said"
}

bad_input() {
  local arguments
  while IFS= read -r arguments; do
    eval "set -- $arguments"
    "$program" "$@" --out "$work/out" >"$work/stdout" 2>"$work/stderr"
    [ $? = 2 ] || fail "$arguments: exit status"
    [ "$(wc -l <"$work/stderr")" = 1 ] || fail "$arguments: $(cat "$work/stderr")"
    [ -s "$work/stdout" ] && fail "$arguments: printed $(cat "$work/stdout")"
  done <<TEXT
--frobnicate
--seconds
--seconds x
--seconds 0
--seeds 5
--seeds 5..4
1 2
seven
1 --seeds 1..2
--checkpoint some
--checkpoint index --log snapshot
--policy guess
--scenario nowhere
--scenario $work
--subject $work/none.so
--subject $program
--jobs 0
--depth 2
--exhaustive --depth 4
--exhaustive --executions 5
--exhaustive --scenario $(dirname "$0")/corpus/newer_one_could_not_be_read.json
--shift sideways
--memory tso
--guarantee maybe
TEXT
  echo '{"keys": 0}' >"$work/bad.json"
  "$program" --scenario "$work/bad.json" --out "$work/out" 2>"$work/stderr"
  [ $? = 2 ] && grep -q 'bad.json: keys must be' "$work/stderr" || fail "$(cat "$work/stderr")"
  "$program" replay "$work/missing" 2>/dev/null
  [ $? = 2 ] || fail "replay of nothing"
}

# A bare scenario is hunted with many schedules, and replays.
scenario_file() {
  crash --scenario "$(dirname "$0")/corpus/closing_in_prepare.json" --executions 100 ||
    fail "$(cat "$work/stdout" "$work/stderr")"
  "$program" replay "$(dirname "$0")/corpus/closing_in_prepare.json" --subject "$subject" --html \
    "$work/page.html" \
    >"$work/stdout" || fail "replay"
  grep -q 'CRASH in' "$work/stdout" || fail "no story"
  grep -q '<svg' "$work/page.html" || fail "no picture"
}

# Every stored execution is the same in a fresh process.
replays() {
  crash 3 --executions 60 --record 40
  local folder count=0
  for folder in "$work"/out/recorded/*/; do
    "$program" replay "$folder" --quiet >"$work/stdout" 2>&1 || fail "$folder: $(cat "$work/stdout")"
    grep -q 'as recorded' "$work/stdout" || fail "$(cat "$work/stdout")"
    count=$((count + 1))
  done
  [ $count = 40 ] || fail "$count executions recorded"
  # A changed tape is noticed: exit status 3 (or another verdict of the same hash is impossible).
  folder=$(ls -d "$work"/out/recorded/*/ | head -n 1)
  sed -i 's/"hash": "[0-9a-f]*"/"hash": "0123456789abcdef"/' "$folder/scenario.json"
  "$program" replay "$folder" --quiet >/dev/null 2>&1
  [ $? = 3 ] || fail "a wrong hash was not noticed"
}

interrupted() {
  "$program" 9 --seconds 100 --subject "$subject" --out "$work/out" >"$work/stdout" 2>/dev/null &
  local pid=$! before
  sleep 1.5
  before=$(date +%s%N)
  kill -INT $pid
  wait $pid
  [ $(($(date +%s%N) - before)) -lt 2000000000 ] || fail "took too long to stop"
  [ "$(field "$work/out/results.json" "['interrupted']")" = True ] || fail "not said"
  [ "$(field "$work/out/results.json" "['executions'] > 0")" = True ] || fail "nothing done"
}

"$case"
echo "passed"
