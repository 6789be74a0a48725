#!/usr/bin/env bash
# ./cpr bench --checkpoints from outside, at a tiny size: its table, its results, an interruption, wrong
# usage.
# usage: checkpoints_test.sh CPR_CHECKPOINT_BENCH
set -uo pipefail
bench=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
fail() { echo "FAILED: $*"; failed=1; }

refused() {  # EXPECTED ARGS...
  local expected=$1 status
  shift
  "$bench" --checkpoints "$@" --out "$folder/out" >"$folder/log" 2>&1
  status=$?
  [ $status -eq 2 ] || fail "status $status instead of 2: $*"
  grep -qF -- "$expected" "$folder/log" || fail "no '$expected' in: $(cat "$folder/log")"
  [ "$(wc -l <"$folder/log")" -eq 1 ] || fail "more than one line: $(cat "$folder/log")"
}
refused "unknown flag --record; did you mean --records?" --record 5
refused "must be of full/snapshot" --kinds full
refused "must be of uniform" --distributions flat
refused "has no checkpoint then" --seconds 4 --every 4
refused "of memory" --records 4000000000
refused "unexpected argument" extra
refused "must be a number" --rounds 0
"$bench" --checkpoints --help | grep -q "Examples:" || fail "help has no examples"

run() {  # OUT FLAGS...
  local out=$1
  shift
  "$bench" --checkpoints --records 20000 --threads 1 --seconds 2 --every 1 --distributions uniform \
    --out "$out" "$@"
}
run "$folder/good" --rounds 2 --kinds full/snapshot,incremental >"$folder/log" 2>&1 ||
  fail "a run: $(cat "$folder/log")"
for kind in full/snapshot incremental; do
  for what in "throughput without checkpoints" "throughput with / without" \
    "5th percentile during / median without" "idle: to durable / device" "under load: to durable / device"; do
    grep -qE "^$kind uniform +$what +[0-9.e-]+ \[[^]]+\]" "$folder/log" ||
      fail "no '$kind $what': $(cat "$folder/log")"
  done
done
grep -qE "throughput with / without .* >= 0.800  not separable$" "$folder/log" ||
  fail "two rounds separate nothing"
python3 - "$folder/good/results.json" <<'CHECK' || fail "results.json: $(cat "$folder/good/results.json")"
import json, sys
results = json.load(open(sys.argv[1]))
assert results["valid"] and results["complete"] and not results["interrupted"]
assert [cell["kind"] for cell in results["cells"]] == ["full/snapshot", "incremental"]
for cell in results["cells"]:
    assert len(cell["rounds"]) == 2
    for one in cell["rounds"]:
        assert one["without"]["ops_per_second"] > 0 and one["with"]["ops_per_second"] > 0
        assert one["idle"]["seconds"] > 0 and one["idle"]["device_seconds"] > 0
        assert one["under_load"]["checkpoints"], "no checkpoint was taken under load"
full, delta = [cell["rounds"][0]["idle"]["bytes"] for cell in results["cells"]]
assert full > 20000 * 24 + 10000 * 64, full  # the log and the index
assert 20000 < delta < 20000 * 32, delta     # what changed in the log
bars = {f["what"]: f["bar"]["value"] for f in results["findings"] if "bar" in f}
assert bars["5th percentile during / median without"] == 0.5 and bars["under load: to durable / device"] == 2
CHECK
[ "$(ls "$folder/good")" = results.json ] || fail "files are left: $(ls "$folder/good")"

# Not through the function: the signal is for the program, not for a shell around it.
"$bench" --checkpoints --records 20000 --threads 1 --seconds 2 --every 1 --rounds 50 --kinds log/foldover \
  --distributions uniform --out "$folder/cut" >"$folder/log" 2>&1 &
pid=$!
for _ in $(seq 100); do
  grep -q '"load_average"' "$folder/cut/results.json" 2>/dev/null && break
  sleep 0.2
done
kill -INT $pid
wait $pid
status=$?
[ $status -eq 130 ] || fail "status $status after an interruption: $(cat "$folder/log")"
python3 - "$folder/cut/results.json" <<'CHECK' || fail "results.json of an interrupted run"
import json, sys
results = json.load(open(sys.argv[1]))
assert results["valid"] and results["interrupted"] and not results["complete"]
assert len(results["cells"][0]["rounds"]) >= 1
CHECK
[ "$(ls "$folder/cut")" = results.json ] || fail "files are left: $(ls "$folder/cut")"
exit $failed
