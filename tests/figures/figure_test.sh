#!/usr/bin/env bash
# ./cpr figure from outside, with a measuring program of a few lines and definitions of its own.
# usage: figure_test.sh CASE CPR-FIGURE CPR-PLOT FOLDER-OF-PROGRAMS
set -uo pipefail
figure=$2
plot=$3
programs=$4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CPR_ROOT=$scratch
mkdir -p "$scratch/definitions/own" "$scratch/programs"

fail() {
  echo "FAILED: $*"
  [ -s "$scratch/output" ] && sed 's/^/  | /' "$scratch/output"
  exit 1
}
expect_status() {  # STATUS COMMAND...
  local wanted=$1 status
  shift
  "$@" >"$scratch/output" 2>&1 </dev/null
  status=$?
  [ $status -eq "$wanted" ] || fail "status $status instead of $wanted: $*"
}
expect_text() { grep -qE -- "$1" "$scratch/output" || fail "no line matches: $1"; }
expect_one_line() { [ "$(wc -l <"$scratch/output")" -eq 1 ] || fail "one line was expected"; }

# Measures 10 x its parameter "speed", and counts its calls.
write_program() {  # EXTRA LINES
  cat >"$scratch/programs/figure-sample" <<TEXT
#!/bin/bash
echo call >>"$scratch/calls"
speed=\$(grep -o '"speed": [0-9]*' "\$2" | grep -o '[0-9]*\$')
$1
mkdir -p "\$4/work"
echo '{"metrics": {"mops": '\$((speed * 10))'}, "threads": 1, "notes": []}' >"\$4/run.json"
TEXT
  chmod +x "$scratch/programs/figure-sample"
}
write_definition() {  # NAME MEMORY DISK [CLAIMED RATIO]
  cat >"$scratch/definitions/own/$1.json" <<TEXT
{"figure": "$1", "title": "A sample", "setting": "None.",
 "source": {"paper": "No paper", "figure": "Figure 1"},
 "axes": {"x": {"label": "Kind"}, "y": {"label": "Throughput (M ops/s)"}},
 "program": "figure-sample", "parameters": {"speed": 1},
 "series": [{"name": "slow"}, {"name": "fast", "parameters": {"speed": 3}}],
 "scales": {"quick": {"parameters": {}, "rounds": 5, "memory_bytes": $2, "disk_bytes": $3, "seconds": 1},
            "full": {"parameters": {}, "rounds": 5, "memory_bytes": $2, "disk_bytes": $3, "seconds": 1}},
 "claims": [{"text": "fast is faster", "source": "Figure 1", "robust": true, "at_least": ${4:-2},
             "ratio": [{"metric": "mops", "series": "fast"}, {"metric": "mops", "series": "slow"}]}],
 "plot": {"kind": "bars", "y": "mops"}}
TEXT
}
flags=(--definitions "$scratch/definitions" --programs "$scratch/programs")
calls() { wc -l <"$scratch/calls"; }

case_whole() {
  write_program ''
  write_definition own-a 1048576 0
  write_definition own-b 1048576 0 2.9
  expect_status 0 "$figure" own-a --quick "${flags[@]}"
  expect_text '^own-a: A sample \(quick, 10 of 10 cells\)'
  expect_text '^  holds +fast is faster: 3 \[3, 3\] \(at least 2\)'
  local folder=$scratch/store/figure-own-a/latest kind
  for kind in pdf svg png gp dat; do [ -s "$folder/own-a.$kind" ] || fail "no $kind"; done
  [ ! -e "$folder/cells/0-0-0/work" ] || fail "the work folder is still there"
  rm "$folder"/own-a.{pdf,svg,png}
  expect_status 0 "$plot" "$folder"
  for kind in pdf svg png; do [ -s "$folder/own-a.$kind" ] || fail "no $kind drawn again"; done
  expect_status 2 env PATH=/nowhere "$plot" "$folder"
  expect_one_line
  expect_text 'gnuplot is not there'
  expect_status 0 "$figure" --all --quick "${flags[@]}"
  folder=$scratch/store/figures/latest
  grep -q '| own-b | fast is faster (Figure 1) | 3 \[3, 3\] | at least 2.9 | holds |' "$folder/claims.md" ||
    fail "claims.md"
  grep -q '<svg' "$folder/index.html" || fail "no picture in index.html"
  [ "$(grep -c '"verdict": "holds"' "$folder/claims.json")" -eq 2 ] || fail "claims.json"
  expect_status 0 "$figure" --list "${flags[@]}"
  expect_text '^own-b '
}

# An outlier hides a claim in five rounds, not in eight: of several quick figures such a one gets more rounds.
case_further() {
  write_program 'round=$(grep -o "\"round\": [0-9]*" "$2" | grep -o "[0-9]*\$")
[ "$round" -ne 2 ] || speed=1'
  write_definition own-a 1048576 0
  sed -i 's/"series": \[/&{"name": "other"}, /' "$scratch/definitions/own/own-a.json"
  write_definition own-b 1048576 0 0.5
  expect_status 0 "$figure" own-a --quick "${flags[@]}"
  expect_text '^  not separable from noise fast is faster: 3 \[1, 3\]'
  expect_status 0 "$figure" --all --quick "${flags[@]}"
  expect_text '^own-a: A sample \(quick, 15 of 15 cells\)'
  expect_text '^own-a: A sample \(quick, 21 of 21 cells\)'  # not those of "other"
  expect_text '^  holds +fast is faster: 3 \[3, 3\] \(at least 2\)'
  ! grep -q 'own-b.*16 of 16' "$scratch/output" || fail "more rounds of what is clear"
  local folder=$scratch/store/figure-own-a/latest before
  grep -q '"rounds": 8' "$folder/results.json" || fail "results.json"
  before=$(calls)
  expect_status 0 "$figure" --resume "$folder" "${flags[@]}"
  [ "$(calls)" -eq "$before" ] || fail "measured again"
  expect_text '^own-a: A sample \(quick, 21 of 21 cells\)'
  expect_status 0 "$figure" --all --quick --further 0 "${flags[@]}"
  ! grep -q '21 of 21' "$scratch/output" || fail "more rounds than asked for"
  for name in c d e; do write_definition own-$name 1048576 0; done
  expect_status 1 "$figure" --all --quick --further 0 "${flags[@]}"
  expect_text 'noise hides 4 robust claims, more than 3'
}

# What the machine cannot do is left out of --all, and said: on the way, in the exit status and in the report.
case_left_out() {
  write_program ''
  write_definition own-a 1048576 0
  write_definition own-b 1048576 1099511627776
  expect_status 2 "$figure" --all --quick "${flags[@]}"
  expect_text '^cpr figure: left out: own-b needs 1099.5 GB of disk'
  expect_text '^own-a: A sample \(quick, 10 of 10 cells\)'
  local folder=$scratch/store/figures/latest
  grep -q '^Left out: own-b needs 1099.5 GB' "$folder/claims.md" || fail "claims.md"
  grep -q '<p>Left out: own-b needs 1099.5 GB' "$folder/index.html" || fail "index.html"
  rm -r "$scratch"/store/figure-own-a/latest/cells/0-0-0
  expect_status 2 "$figure" --resume "$folder" "${flags[@]}"
  grep -q '^Left out: own-b needs 1099.5 GB' "$folder/claims.md" || fail "claims.md after --resume"
}

# A claim that does not hold, a program that finds a property violated, one that refuses, dies, stands still.
case_failures() {
  write_definition own-a 1048576 0 4
  write_program ''
  expect_status 1 "$figure" own-a --quick "${flags[@]}"
  expect_text '^  does not hold '
  write_definition own-a 1048576 0
  write_program 'echo "figure-sample: a value was torn" >&2; exit 1'
  expect_status 1 "$figure" own-a --quick "${flags[@]}"
  expect_text 'own-a: slow, round 1: figure-sample: a value was torn'
  expect_text '^again: .*figure-sample --parameters '
  write_program 'echo "figure-sample: speed: too high" >&2; exit 2'
  expect_status 2 "$figure" own-a --quick "${flags[@]}"
  expect_text 'speed: too high'
  write_program 'kill -SEGV $$'
  expect_status 1 "$figure" own-a --quick "${flags[@]}"
  expect_text 'ended by signal 11'
  write_program 'sleep 60'
  sed -i 's/"seconds": 1}/"seconds": 1, "cell_timeout": 1}/' "$scratch/definitions/own/own-a.json"
  expect_status 1 "$figure" own-a --quick "${flags[@]}"
  expect_text 'did not end within its time'
  write_program 'exit 0'
  expect_status 2 "$figure" own-a --quick "${flags[@]}"
  expect_text 'run.json'
}

case_bad_input() {
  write_program ''
  write_definition own-a 1048576 0
  expect_status 2 "$figure" own-b --quick "${flags[@]}"
  expect_one_line
  expect_text "there is no figure 'own-b'; near: own-a"
  expect_status 2 "$figure" "${flags[@]}"
  expect_one_line
  expect_status 2 "$figure" own-a --all "${flags[@]}"
  expect_one_line
  expect_status 2 "$figure" --resume "$scratch/nowhere"
  expect_one_line
  expect_status 2 "$figure" --again "$scratch"
  expect_one_line
  expect_status 2 env PATH=/nowhere "$figure" own-a --quick "${flags[@]}"
  expect_one_line
  expect_text 'gnuplot is not there'
  rm "$scratch/programs/figure-sample"
  expect_status 2 "$figure" own-a --quick "${flags[@]}"
  expect_one_line
  expect_text 'needs the program .*/figure-sample, which is not built here'
  write_program ''
  write_definition own-a 1099511627776 0
  expect_status 2 "$figure" own-a --quick "${flags[@]}"
  expect_one_line
  expect_text 'own-a needs 1099.5 GB of memory, [0-9.]+ GB are available'
  write_definition own-a 1048576 1099511627776
  expect_status 2 "$figure" own-a --quick "${flags[@]}"
  expect_one_line
  expect_text 'own-a needs 1099.5 GB of disk in .*, [0-9.]+ GB are free'
  write_definition own-b 1048576 1099511627776
  expect_status 2 "$figure" --all --quick "${flags[@]}"
  expect_text 'nothing can be measured here'
  [ ! -e "$scratch/calls" ] || fail "something was measured"
  [ ! -e "$scratch/store" ] || fail "a folder was made for nothing"
  echo '{' >"$scratch/definitions/own/own-a.json"
  expect_status 2 "$figure" own-a --quick "${flags[@]}"
  expect_one_line
  expect_text 'own-a.json:[0-9]+:[0-9]+: this is not JSON'
}

wait_for_calls() {  # NUMBER
  local i
  for i in $(seq 200); do
    [ -e "$scratch/calls" ] && [ "$(calls)" -ge "$1" ] && return
    sleep 0.05
  done
  fail "the program was not called $1 times"
}

# Killed in the fourth cell: three are kept, seven are measured, once each.
case_killed() {
  write_program 'sleep 0.15'
  write_definition own-a 1048576 0
  "$figure" own-a --quick --out "$scratch/run" "${flags[@]}" >/dev/null 2>&1 &
  local runner=$!
  wait_for_calls 4
  kill -KILL $runner
  wait $runner 2>/dev/null
  expect_status 2 "$figure" --again "$scratch/run"
  expect_text 'own-a is not complete: [0-9]+ of 10 cells are missing; measure them with: '
  local before done
  done=$(find "$scratch/run" -name cell.json | wc -l)
  [ "$done" -ge 2 ] && [ "$done" -lt 10 ] || fail "$done cells are done"
  before=$(calls)
  expect_status 0 "$figure" --resume "$scratch/run" "${flags[@]}"
  expect_text '10 of 10 cells'
  [ $(($(calls) - before)) -eq $((10 - done)) ] || fail "$(($(calls) - before)) cells were measured"
  before=$(calls)
  expect_status 0 "$figure" --resume "$scratch/run" "${flags[@]}"
  [ "$(calls)" -eq "$before" ] || fail "a complete run was measured again"
}

case_interrupted() {
  write_program 'sleep 0.15'
  write_definition own-a 1048576 0
  write_definition own-b 1048576 0
  "$figure" --all --quick --out "$scratch/run" "${flags[@]}" >"$scratch/output" 2>&1 &
  local runner=$! status
  wait_for_calls 3
  kill -INT $runner
  wait $runner
  status=$?
  [ $status -eq 130 ] || fail "status $status instead of 130"
  expect_text 'interrupted; go on with: ./cpr figure --resume '
  expect_status 0 "$figure" --resume "$scratch/run" "${flags[@]}"
  expect_text '2 claims hold'
  [ -s "$scratch/run/index.html" ] || fail "no page"
}

# The real program: a course of a quarter of a second with a commit, five times.
case_smoke() {
  cat >"$scratch/definitions/own/own-smoke.json" <<'TEXT'
{"figure": "own-smoke", "title": "Smoke", "setting": "None.",
 "source": {"paper": "No paper", "figure": "Figure 1"},
 "axes": {"x": {"label": "Time (s)"}, "y": {"label": "Throughput (M ops/s)"}},
 "program": "figure-time-series",
 "parameters": {"threads": 1, "records": 20000, "value_bytes": 8, "reads": 1, "updates": 1, "rmws": 1,
  "distribution": "uniform", "zipf_theta": 0.99, "memory": 4194304, "mutable_fraction": 0.9, "page_bits": 16,
  "index_buckets": 16384, "refresh_interval": 64, "write_mb_per_s": 0, "sync": false, "kind": "full",
  "backend": "foldover", "shift": "fine", "checkpoint_at": [0.1], "warm_up_seconds": 0.02, "seconds": 0.25,
  "sample_seconds": 0.01, "hold_in_progress_seconds": 0, "latency": true},
 "series": [{"name": "one"}],
 "scales": {"quick": {"parameters": {}, "rounds": 5, "memory_bytes": 67108864, "disk_bytes": 67108864,
                      "seconds": 2},
            "full": {"parameters": {}, "rounds": 5, "memory_bytes": 67108864, "disk_bytes": 67108864,
                     "seconds": 2}},
 "claims": [{"text": "a commit makes the log grow", "source": "none", "robust": true,
             "value": {"metric": "log_growth"}, "at_least": 1.01},
            {"text": "one commit", "source": "none", "robust": true, "value": {"metric": "checkpoints"},
             "between": [1, 1]}],
 "plot": {"kind": "time series", "y": "mops", "checkpoints": true}}
TEXT
  expect_status 0 "$figure" own-smoke --quick --definitions "$scratch/definitions" --programs "$programs"
  local cell=$scratch/store/figure-own-smoke/latest/cells/0-0-0 metric
  for metric in rest_mops dip_1 lost_seconds phase_wait_flush_seconds latency_spike_ns; do
    grep -q "\"$metric\"" "$cell/run.json" || fail "no metric $metric"
  done
  head -n 1 "$cell/checkpoints.csv" | grep -q '^kind,backend,requested,durable,status,' ||
    fail "checkpoints.csv"
  grep -q '^full,foldover,0\.1[0-9]*,0\.[0-9]*,ok,' "$cell/checkpoints.csv" || fail "the checkpoint"
  [ "$(wc -l <"$cell/samples.csv")" -gt 5 ] || fail "too few samples"
  grep -q 'set object rectangle' "$scratch/store/figure-own-smoke/latest/own-smoke.gp" || fail "no shading"
  sed -i 's/"threads": 1/"threads": 0/' "$cell/parameters.json"
  expect_status 2 "$programs/figure-time-series" --parameters "$cell/parameters.json" --out "$scratch/cell"
  expect_one_line
  expect_text 'parameters.threads: expected a whole number from 1 to 64, found 0'
}

"case_$1"
echo "passed: $1"
