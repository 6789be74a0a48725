#!/usr/bin/env bash
# ./cpr shrink from outside, on a subject with planted bugs: sizes, replays, the corpus, bad input.
# usage: shrink_test.sh CASE PROGRAM PLANTED_SUBJECT REFERENCE_SUBJECT
set -uo pipefail
case=$1 program=$2 planted=$3 reference=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CPR_ROOT=$work/root
mkdir -p "$CPR_ROOT/tests/crash/corpus"
fail() { echo "FAILED: $*" >&2; exit 1; }
field() { python3 -c "import json,sys; r=json.load(open('$1')); print(eval(sys.argv[1]))" "$2"; }

# Three sessions that lose updates of each other, beside much that does not matter.
scenario() {  # LAST ACTION
  cat >"$work/scenario.json" <<TEXT
{"name": "planted", "keys": 8, "preload": 8, "filler": 5,
 "geometry": {"value_bytes": 256, "block_bytes": 512},
 "faults": "slow:write:*:1st", "incarnations": [
 {"actors": [
  {"name": "session 1", "actions": ["rmw 1", "read 2", "rmw 3", "pause 2", "rmw 4", "rmw 3", "refresh"]},
  {"name": "session 2", "actions": ["read 3", "rmw 3", "close", "rmw 1", "upsert 2", "rmw 3"]},
  {"name": "session 3", "actions": ["rmw 5", "rmw 3", "rmw 3", "read 1", "$1"]}],
  "crash": {"after": "end"}},
 {"actors": [{"name": "session 1", "actions": ["replay", "read 3"]}]}]}
TEXT
}

# A campaign over it leaves findings in $work/campaign.
campaign() {  # LAST ACTION, FLAGS...
  scenario "$1"
  "$program" 1 --scenario "$work/scenario.json" --subject "$planted" --jobs 1 --executions 3000 "${@:2}" \
    --out "$work/campaign" >"$work/stdout" 2>&1
  [ $? = 1 ] || fail "no finding: $(cat "$work/stdout")"
  finding=$(ls -d "$work"/campaign/findings/1-*)
}

shrink() {  # STATUS ARGUMENTS...
  "$program" shrink "${@:2}" >"$work/stdout" 2>"$work/stderr"
  local status=$?
  [ $status = "$1" ] || fail "status $status: shrink ${*:2}: $(cat "$work/stdout" "$work/stderr")"
}

# The result is smaller, fails by the same rule in a fresh process, and says what decides.
smaller() {
  campaign "read 1" --stop-at-first
  shrink 0 "$finding" --out "$work/small"
  local results=$work/small/results.json file
  [ "$(field "$results" "r['rule']")" = "$(field "$finding/scenario.json" "r['run']['rule']")" ] ||
    fail "another rule"
  [ "$(field "$results" "all(r['after'][k] <= r['before'][k] for k in r['before'])")" = True ] ||
    fail "something grew: $(cat "$results")"
  [ "$(field "$results" "r['after']['operations'] <= 3 and r['after']['preemptions'] <= 2")" = True ] ||
    fail "not small: $(cat "$results")"
  [ "$(field "$results" "r['after']['faults'] + r['after']['crashes']")" = 0 ] || fail "a fault is left"
  [ "$(field "$results" "r['minimal'] and r['same_key'] and r['idle'] == [] and r['untried'] == 0")" = \
    True ] || fail "not minimal"
  [ "$(field "$results" "r['flips'] != [] and all(f['then'] == 'passes' for f in r['flips'])")" = True ] ||
    fail "flips"
  grep -q 'is stopped after .* steps at [a-z_]*\.\(cc\|h\):[0-9]' "$results" ||
    fail "no source line: $(cat "$results")"
  for file in scenario.json tape history.jsonl verdict.json story.txt page.html replay.txt; do
    [ -s "$work/small/$file" ] || fail "no $file"
  done
  "$program" replay "$work/small" --quiet >"$work/replayed"
  [ $? = 1 ] || fail "the replay passes"
  grep -q 'as recorded' "$work/replayed" || fail "$(cat "$work/replayed")"
  grep -q "^$(field "$results" "r['rule']") violated" "$work/replayed" || fail "$(cat "$work/replayed")"
  grep -q '^preemptions' "$work/stdout" && grep -q 'Each of these by itself decides' "$work/stdout" ||
    fail "$(cat "$work/stdout")"
}

# The same finding gives the same result, and shrinking that again leaves it as it is.
again() {
  campaign "read 1" --stop-at-first
  shrink 0 "$finding" --out "$work/a"
  shrink 0 "$finding" --out "$work/b"
  cmp "$work/a/tape" "$work/b/tape" && cmp "$work/a/scenario.json" "$work/b/scenario.json" || fail "differ"
  shrink 0 "$work/a" --out "$work/c" --json
  [ "$(field "$work/stdout" "r['after'] == r['before']")" = True ] || fail "$(cat "$work/stdout")"
}

# A campaign over the scenario that was written finds the failure again.
emits() {
  campaign "read 1" --stop-at-first
  shrink 0 "$finding" --out "$work/small" --emit lost_update
  local file=$CPR_ROOT/tests/crash/corpus/lost_update.json
  [ "$(field "$file" "r['name']")" = lost_update ] || fail "no scenario"
  grep -q 'it fails in [1-9]' "$work/stdout" || fail "$(cat "$work/stdout")"
  "$program" --scenario "$file" --subject "$planted" --seeds 1..400 --jobs 1 --out "$work/hunt" \
    >"$work/stdout" 2>&1
  [ $? = 1 ] || fail "not found again: $(cat "$work/stdout")"
  shrink 2 "$finding" --out "$work/small" --emit lost_update
  grep -q 'exists already' "$work/stderr" || fail "$(cat "$work/stderr")"
}

# One clear line, nothing on stdout, exit status 2.
bad_input() {
  local arguments
  campaign "read 1" --stop-at-first
  mkdir "$work/empty" "$work/clean" "$work/txn" "$work/process" "$work/array"
  touch "$work/txn/txn.json"
  echo '{"mode": "process"}' >"$work/process/results.json"
  echo '[]' >"$work/array/results.json"
  "$program" --seeds 1..3 --scenario default --subject "$reference" --jobs 1 --record 1 --out "$work/clean" \
    >/dev/null 2>&1
  local name
  for name in scenario tape rule text verdict hash; do cp -r "$finding" "$work/$name"; done
  head -c 700 "$finding/scenario.json" >"$work/scenario/scenario.json"
  printf x | dd of="$work/tape/tape" bs=1 seek=250 conv=notrunc 2>/dev/null
  echo '{"rule": "R9"}' >"$work/rule/verdict.json"
  echo 'damaged' >"$work/text/verdict.json"
  echo '{"rule": 7}' >"$work/verdict/verdict.json"
  sed -i 's/"seed": [0-9]*/"seed": "x"/' "$work/hash/scenario.json"
  while IFS= read -r arguments; do
    eval "set -- $arguments"
    shrink 2 "$@" --out "$work/out"
    [ "$(wc -l <"$work/stderr")" = 1 ] || fail "$arguments: $(cat "$work/stderr")"
    [ -s "$work/stdout" ] && fail "$arguments: printed $(cat "$work/stdout")"
  done <<TEXT

$work/none
$work/empty
$work/clean
$work/clean/recorded/1
$work/txn
$work/process
$work/array
$work/scenario.json
$work/scenario
$work/tape
$work/rule
$work/text
$work/verdict
$work/hash
$finding $finding
$finding --frobnicate
$finding --seconds 0
$finding --mode process
$finding --emit ../x
$finding --emit Name
$finding --subject $work/none.so
$work/campaign --finding 99
TEXT
  shrink 2 "$finding" --out "$finding"
  grep -q 'holds the finding' "$work/stderr" || fail "$(cat "$work/stderr")"
  [ -e "$work/out" ] && fail "bad input left results"
  return 0
}

# What does not fail again as recorded is no longer this finding: exit status 3.
other_build() {
  campaign "read 1" --stop-at-first
  shrink 3 "$finding" --subject "$reference" --out "$work/out"
  [ "$(wc -l <"$work/stderr")" = 1 ] && grep -q 'not the build that was recorded' "$work/stderr" ||
    fail "$(cat "$work/stderr")"
  sed -i 's/"hash": "[0-9a-f]*"/"hash": "0123456789abcdef"/' "$finding/scenario.json"
  shrink 3 "$finding" --out "$work/out"
  [ "$(wc -l <"$work/stderr")" = 1 ] && grep -q 'not the same execution' "$work/stderr" ||
    fail "$(cat "$work/stderr")"
  [ -e "$work/out" ] && fail "left results"
  return 0
}

# Of a campaign the first finding is taken, or the one asked for.
campaigns() {
  campaign "read 1"
  shrink 0 "$work/campaign" --out "$work/small" --json
  [ "$(field "$work/stdout" "r['what_before']")" = "$(field "$finding/verdict.json" "r['what']")" ] ||
    fail "not the first finding"
  local second
  second=$(ls -d "$work"/campaign/findings/2-*) || fail "no second finding"
  shrink 0 "$work/campaign" --finding 2 --out "$work/small" --json
  [ "$(field "$work/stdout" "r['rule'] + r['what_before']")" = \
    "$(field "$second/verdict.json" "r['rule'] + r['what']")" ] || fail "not the second finding"
}

# An execution that takes its process with it shrinks like any other.
dies() {
  campaign "delete 7" --stop-at-first --policy random:0.003
  [ "$(field "$finding/scenario.json" "r['run']['rule']")" = crash ] || fail "$(ls "$work/campaign/findings")"
  shrink 0 "$finding" --out "$work/small" --json
  [ "$(field "$work/stdout" "r['after']['operations']")" = 1 ] || fail "$(cat "$work/stdout")"
  grep -q 'delete' "$work/small/scenario.json" || fail "not the deletion"
  "$program" replay "$work/small" --quiet >"$work/replayed"
  [ $? = 1 ] && grep -q 'the process died of Killed' "$work/replayed" || fail "$(cat "$work/replayed")"
}

"$case"
echo "passed"
