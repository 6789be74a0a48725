#!/usr/bin/env bash
# ./cpr bench --peers from outside: a peer of our own that prints what it was told to, and wrong usage.
# usage: compare_test.sh CPR_COMPARE
set -uo pipefail
compare=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
fail() { echo "FAILED: $*"; failed=1; }

cat >"$folder/peer" <<'PEER'
#!/usr/bin/env bash
echo "run 4000000"
echo "load 2000000"
echo "durability promises nothing"
PEER
printf '#!/usr/bin/env bash\nexit 1\n' >"$folder/broken"
chmod +x "$folder/peer" "$folder/broken"

refused() {  # EXPECTED ARGS...
  local expected=$1 status
  shift
  "$compare" "$@" --rounds 1 --seconds 1 --records 1000 --out "$folder/out" >"$folder/log" 2>&1
  status=$?
  [ $status -eq 2 ] || fail "status $status instead of 2: $*"
  grep -qF -- "$expected" "$folder/log" || fail "no '$expected' in: $(cat "$folder/log")"
  [ "$(wc -l <"$folder/log")" -eq 1 ] || fail "more than one line: $(cat "$folder/log")"
}
refused "is the name of another engine" --peers "faster=$folder/peer"
refused "is the name of another engine" --peers "x=$folder/peer" "x=$folder/peer"
refused "needs the path of a program" --peers "x=$folder/nothing"
refused "neither NAME=PATH nor" --peers nobody
refused "is taken from --memory" --peers "x=$folder/peer" --memory 1048576 --read-cache 1048576
refused "KEY=VALUE" --peers "x=$folder/peer" --property faster.memory
refused "a, b, c or rmw" --peers "x=$folder/peer" --workloads e

"$compare" --peers "mine=$folder/peer" --workloads c --distributions uniform --rounds 3 --seconds 1 \
  --records 20000 --threads 1 --out "$folder/good" >"$folder/log" 2>&1 ||
  fail "a comparison: $(cat "$folder/log")"
grep -qE '^c uniform +mine +4\.000 ' "$folder/log" || fail "no line of the peer: $(cat "$folder/log")"
grep -qF 'durability of mine: promises nothing' "$folder/log" || fail "what the peer promises is not said"
python3 - "$folder/good/results.json" <<'CHECK' || fail "results.json"
import json, sys
results = json.load(open(sys.argv[1]))
assert results["rounds"] == 3 and results["durability"]["mine"] == "promises nothing", results
CHECK
"$compare" --peers "mine=$folder/peer" --workloads c --distributions uniform --rounds 1 --seconds 1 \
  --records 20000 --threads 1 --memory 1048576 --read-cache 262144 --property faster.block_bytes=512 \
  --batch 1 --out "$folder/cache" >"$folder/log" 2>&1 || fail "with a read cache: $(cat "$folder/log")"
grep -qE '^c uniform +faster read cache +[0-9]' "$folder/log" ||
  fail "no line of the cache: $(cat "$folder/log")"
grep -q 'batch' "$folder/log" && fail "batches though --batch is 1: $(cat "$folder/log")"
printf '#!/usr/bin/env bash\n[ "$2" = c ] || exit 1\necho load 1000\necho run 1000\n' >"$folder/half"
chmod +x "$folder/half"
"$compare" --peers "half=$folder/half" --workloads c,a --distributions uniform --rounds 1 --seconds 1 \
  --records 20000 --threads 1 --out "$folder/half.out" >"$folder/log" 2>&1
[ $? -eq 2 ] || fail "a peer that fails in the second cell is no success: $(cat "$folder/log")"
grep -q '"half"' "$folder/half.out/results.json" || fail "the cell before the failure is lost"
"$compare" --peers "bad=$folder/broken" --workloads c --distributions uniform --rounds 1 --seconds 1 \
  --records 20000 --threads 1 --out "$folder/bad" >"$folder/log" 2>&1
[ $? -eq 2 ] || fail "a peer that fails is no success: $(cat "$folder/log")"
exit $failed
