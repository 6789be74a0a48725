#!/usr/bin/env bash
# ./cpr bench --scaling from outside, at a tiny size: its table, its results and picture, an interruption,
# wrong usage.
# usage: scaling_test.sh CPR_SCALING CPR_PLOT
set -uo pipefail
bench=$1 plot=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
fail() { echo "FAILED: $*"; failed=1; }

refused() {  # EXPECTED ARGS...
  local expected=$1 status
  shift
  "$bench" --scaling "$@" --out "$folder/out" >"$folder/log" 2>&1
  status=$?
  [ $status -eq 2 ] || fail "status $status instead of 2: $*"
  grep -qF -- "$expected" "$folder/log" || fail "no '$expected' in: $(cat "$folder/log")"
  [ "$(wc -l <"$folder/log")" -eq 1 ] || fail "more than one line: $(cat "$folder/log")"
}
refused "unknown flag --key" --key 5
refused "must be numbers from 1000" --keys 1000,x
refused "must be of keys, checkpoint, recovery, growth" --parts memory
refused "must be a power of two" --grow-to 5000
refused "unexpected argument" extra
refused "of memory" --parts keys --keys 4000000000
"$bench" --scaling --help | grep -q "Examples:" || fail "help has no examples"

tiny=(--rounds 1 --seconds 1 --threads 1 --keys 10000,20000 --dirty 1,2,4 --logs 1,2,4 --growth-keys 20000
  --grow-to 8192 --growth-seconds 2)
"$bench" --scaling "${tiny[@]}" --out "$folder/good" >"$folder/log" 2>&1 || fail "a run: $(cat "$folder/log")"
has() { grep -qE "$1" "$folder/log" || fail "no '$1' in: $(cat "$folder/log")"; }
for keys in "10 K" "20 K"; do
  for what in load "C uniform" "A uniform" index memory "memory / \(record \+ index\)"; do
    has "^$keys keys +$what +[0-9.]+ \["
  done
done
for backend in foldover snapshot; do
  has "^$backend, 4 MiB more +to durable / device"
  has "^checkpoint, $backend +line through the medians: .* residual .* (linear|not linear)$"
done
for threads in "1 thread" "2 threads"; do
  has "^4 MiB, $threads +for each replayed record +[0-9.]+ \[.*\] ns"
  has "^4 MiB, $threads +with the index / plain reading .* <= 1.500"
  has "^replay by bytes, $threads +line through the medians"
  has "^replay by records, $threads +line through the medians: .* ns/record"
done
has "^index growth +A: worst 0.25 s sample"
has "^index growth +buckets at the end +0.0078"  # 8192 of 2^20
python3 - "$folder/good/results.json" <<'CHECK' || fail "results.json: $(cat "$folder/good/results.json")"
import json, sys
results = json.load(open(sys.argv[1]))
assert results["valid"] and results["complete"] and not results["left_out"]
assert [one["keys"] for one in results["keys"]] == [10000, 20000]
assert all(24 <= one["log_bytes_per_key"] < 30 for one in results["keys"])
written = [one["bytes"] for one in results["checkpoints"] if one["backend"] == "foldover"]
assert [round(bytes / 2**20) for bytes in written] == [1, 2, 4], written
replays = [one for one in results["recoveries"] if not one["with_index"]]
assert len(replays) == 6
assert all(one["records_replayed"] == (one["log_mebibytes"] << 20) // 25 for one in replays)
assert all(one["records_replayed"] == 0 for one in results["recoveries"] if one["with_index"])
sizes = results["growth"][0]["load"]["sizes"] + results["growth"][0]["run"]["sizes"]
assert sizes[0]["buckets"] == 1024 and sizes[-1]["buckets"] == 8192, sizes
assert {fit["cell"] for fit in results["fits"]} >= {"checkpoint, snapshot", "reading, 2 threads"}
CHECK
grep -q "<svg" "$folder/good/scaling.svg" || fail "no picture"
rm "$folder/good"/scaling.{svg,png}
"$plot" "$folder/good" >/dev/null || fail "cannot be drawn again"
grep -q "memory by keys" "$folder/good/scaling.svg" || fail "not drawn again"
[ "$(ls "$folder/good" | tr '\n' ' ')" = "results.json scaling.csv scaling.png scaling.svg " ] ||
  fail "files are left: $(ls "$folder/good")"

"$bench" --scaling "${tiny[@]}" --keys 10000 --rounds 500 --parts keys --out "$folder/cut" \
  >"$folder/log" 2>&1 &
pid=$!
for _ in $(seq 100); do
  grep -q '"c_ops_per_second"' "$folder/cut/results.json" 2>/dev/null && break
  sleep 0.2
done
kill -INT $pid
wait $pid
status=$?
[ $status -eq 130 ] || fail "status $status after an interruption: $(cat "$folder/log")"
python3 - "$folder/cut/results.json" <<'CHECK' || fail "results.json of an interrupted run"
import json, sys
results = json.load(open(sys.argv[1]))
assert results["interrupted"] and results["keys"] and results["findings"]
CHECK
ls "$folder/cut" | grep -q cpr-bench && fail "the store is left: $(ls "$folder/cut")"
exit $failed
