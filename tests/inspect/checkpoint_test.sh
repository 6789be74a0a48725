#!/usr/bin/env bash
# ./cpr checkpoint from outside: what is typed, what comes back, with which exit status, and what becomes of
# the files. usage: checkpoint_test.sh CPR_CHECKPOINT MAKE_STORE
set -uo pipefail
tool=$1
make_store=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
fail() { echo "FAILED: $*"; failed=1; }

run() {  # STATUS ARGS...
  local wanted=$1 status
  shift
  "$tool" "$@" >"$folder/out" 2>"$folder/err" </dev/null
  status=$?
  [ $status -eq "$wanted" ] || fail "status $status instead of $wanted: $* $(cat "$folder/out" "$folder/err")"
}
says() { grep -qE -- "$1" "$folder/out" || fail "no line matches $1 in: $(cat "$folder/out")"; }
refused() {  # EXPECTED ARGS...
  local expected=$1
  shift
  run 2 "$@"
  grep -qF -- "$expected" "$folder/err" || fail "no '$expected' in: $(cat "$folder/err")"
  [ "$(wc -l <"$folder/err")" -eq 1 ] || fail "more than one line: $(cat "$folder/err")"
}
json() {  # PYTHON of the parsed output, called o
  python3 -c "import json,sys; o=json.load(open(sys.argv[1])); assert $1, o" "$folder/out" ||
    fail "not so: $1"
}
flip() {  # FILE OFFSET
  python3 - "$1" "$2" <<'CHANGE'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); byte = f.read(1)[0]
    f.seek(int(sys.argv[2])); f.write(bytes([byte ^ 16]))
CHANGE
}

# Wrong usage.
mkdir "$folder/empty"
refused "which command?"
refused "no command remove" remove "$folder/empty"
refused "which directory?" list
refused "is no directory" list "$folder/nowhere"
refused "unexpected argument" list "$folder/empty" more
refused "did you mean --json?" list "$folder/empty" --jsn
refused "--hash must be one of auto, none" validate "$folder/empty" --hash md5
refused "TOKEN must be" validate "$folder/empty" latest
refused "no complete checkpoint" validate "$folder/empty"
refused "contradict" repair "$folder/empty" --apply --dry-run
refused "no checkpoint" repair "$folder/empty"
run 0 list "$folder/empty"
says "^no checkpoint in"
run 0 --help
says "^Examples:"

# A store with every kind.
mkdir "$folder/store"
mapfile -t tokens < <("$make_store" "$folder/store" 2000 full/foldover full/snapshot incremental index)
[ ${#tokens[@]} -eq 4 ] || fail "the store was not made"
full=${tokens[0]} snapshot=${tokens[1]} delta=${tokens[2]} index=${tokens[3]}
run 0 list "$folder/store"
says "^TOKEN +KIND +VERSION +TIME +SIZE"
says "^$delta +incremental +[0-9]+ +20..-..-..T..:..:..Z .* 1 on ${snapshot:0:8} +complete, the latest$"
says "^$full +full/foldover .* complete$"
says "^$index +index "
run 0 list "$folder/store" --json
json "o['latest'] == '$delta' and len(o['checkpoints']) == 4"
json "[c['kind'] for c in o['checkpoints']] == ['incremental', 'full', 'full', 'index']"
json "o['checkpoints'][0]['chain'] == ['$snapshot'] and o['checkpoints'][0]['sessions'] == 3"
run 0 show "$folder/store"
says "^checkpoint $delta$"
says "^  version 1 +2,000, of these 0 tombstones$"
run 0 show "$folder/store" "$full" --json
json "o['log']['sessions'][0]['serial'] == 2000 and o['index']['entries'] > 100"
json "o['records']['versions'] == [{'version': 1, 'live': 2000, 'tombstones': 0}]"
refused "there is no checkpoint" show "$folder/store" 00000000-0000-0000-0000-000000000001
run 0 validate "$folder/store"
says "^$full +good: .* 2,000 live records, hash ycsb$"
says "^4 checkpoints, 0 broken;"
run 0 validate "$folder/store" "$full" --json --storage posix --threads 1
json "o['sound'] and o['first'] is None and o['checkpoints'][0]['hash'] == 'ycsb'"
run 0 repair "$folder/store"
says "^4 checkpoints, 4 good, 0 broken$"

# One broken byte of each: the file and the place.
broken() {  # TOKEN FILE OFFSET FIRST_OFFSET
  flip "$folder/store/$2" "$3"
  run 1 validate "$folder/store" "$1"
  says "^first: $2 at offset $4: expected "
  run 1 validate "$folder/store" "$1" --json
  json "not o['sound'] and o['first']['file'] == '$2' and o['first']['offset'] == $4"
  flip "$folder/store/$2" "$3"
}
broken "$full" "log.0" 5000 4608
broken "$full" "$full/index.dat" 700 64
broken "$snapshot" "$snapshot/log.snapshot" 1100 1088
broken "$delta" "$delta/delta.0.log" 200 128

# Repair: the newest is damaged, in its data and then in its text.
flip "$folder/store/$delta/delta.0.log" 200
before=$(find "$folder/store" -type f | wc -l)
run 1 repair "$folder/store"
says "^  would be set aside: the directory$"
says "^a recovery takes $snapshot instead of $delta$"
says "^nothing was changed; --apply does it$"
[ -d "$folder/store/$delta" ] || fail "a dry run has moved something"
run 0 repair "$folder/store" --apply
says "^  set aside: the directory, in set-aside/[0-9TZ]+-$delta$"
[ -d "$folder/store/$delta" ] && fail "it is still there"
[ "$(find "$folder/store" -type f | wc -l)" -ge "$before" ] || fail "a file is gone"
run 0 validate "$folder/store"
run 0 list "$folder/store" --json
json "o['latest'] == '$snapshot' and len(o['checkpoints']) == 3"
flip "$folder/store/$snapshot/log.meta" 60
run 0 list "$folder/store"
says "^$snapshot .* damaged: $snapshot/log.meta at offset"
says "^A recovery of the latest is refused: "
run 1 repair "$folder/store" --json
json "o['dry_run'] and o['planned'] == 1 and o['latest'] == '$full' and o['latest_before'] is None"
run 0 repair "$folder/store" --apply --json
json "o['repaired'] and o['set_aside'] == 1 and o['issues'][0]['moved_to'].startswith('set-aside/')"
run 0 validate "$folder/store"

# Not beside an open store.
mkdir "$folder/open"
mkfifo "$folder/go"
"$make_store" "$folder/open" 500 full/foldover open <"$folder/go" >"$folder/tokens" &
exec 7>"$folder/go"
for _ in $(seq 100); do [ -s "$folder/tokens" ] && break; sleep 0.1; done
refused "open; stop it first" repair "$folder/open" --apply
exec 7>&-
wait
run 0 repair "$folder/open"
exit $failed
