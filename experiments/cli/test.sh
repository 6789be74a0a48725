# shellcheck shell=bash disable=SC2154  # root, cores and the package lists come from cpr
# ./cpr test: which tests run, in which order, and what they add up to. Each part (a build, a CTest run, a
# hunt of planted bugs) is logged under build/test/. --budget starts no part after that time and ends the part
# that runs over it; what did not run is said, and is neither passed nor failed. With --all it bounds only
# what --all adds: the ordinary tests are never the ones that are left out.

passed=0 failed=0 broken=0 deadline=0
left_out=() failures=() suites=() log_folder=

# A number that CTest and the hunter both put into the opening tag of their JUnit file.
junit_number() {  # FILE ATTRIBUTE
  tr '\n' ' ' <"$1" | grep -oE '<testsuite [^>]*>' | head -n 1 |
    grep -oE "[ 	]$2=\"[0-9]+\"" | grep -oE '[0-9]+' || echo 0
}

count_junit() {  # LABEL FILE
  local total bad skipped note=
  if [ ! -s "$2" ]; then
    echo "$1: left no report" >&2
    broken=$((broken + 1))
    return
  fi
  total=$(junit_number "$2" tests)
  bad=$(junit_number "$2" failures)
  skipped=$(($(junit_number "$2" skipped) + $(junit_number "$2" disabled)))
  passed=$((passed + total - bad - skipped))
  failed=$((failed + bad))
  suites+=("$2")
  [ "$skipped" -eq 0 ] || note=", $skipped skipped"
  printf '%-34s %d passed, %d failed%s\n' "$1" $((total - bad - skipped)) "$bad" "$note"
}

# True if there is time to start a part; else it is left out.
may_start() {  # LABEL
  [ "$deadline" -eq 0 ] || [ $SECONDS -lt "$deadline" ] && return 0
  left_out+=("$1")
  return 1
}

test_build() {  # PRESET [TARGET...]
  local status
  may_start "build of $1" || return 1
  try_build "$1" ON "$deadline" "${@:2}"
  status=$?
  case $status in
    0) return 0 ;;
    124) left_out+=("build of $1 (time ran out)") ;;
    *) broken=$((broken + 1)) ;;
  esac
  return 1
}

run_ctest() {  # PRESET NAME SELECTION...
  local preset=$1 name=$2 report=$log_folder/$1-$2.xml log=$log_folder/$1-$2.log status
  shift 2
  may_start "$name tests of $preset" || return
  rm -f "$report"
  run_logged "testing $preset" "$log" "$deadline" ctest --preset "$preset" --no-tests=ignore -j "$cores" \
    --timeout 600 --output-junit "$report" "$@"
  status=$?
  if [ $status -eq 124 ]; then
    left_out+=("$name tests of $preset (time ran out)")
    return
  fi
  if [ $status -ne 0 ]; then
    # With its output CTest prints each test that failed; up to the line of the next test.
    local what
    what=$(awk '/^ *[0-9]+\/[0-9]+ Test /{on = /\*\*\*/} /^ +Start /{on = 0} on' "$log" |
      cut -c1-300 | head -n 60)
    failures+=("$preset: $name: $what"$'\n'"full output: ${log#"$root"/}")
    printf '%s\n' "${failures[-1]}"
  fi
  # Nothing selected: CTest writes no report.
  if [ $status -eq 0 ] && grep -q 'No tests were found' "$log"; then return; fi
  count_junit "$preset: $name" "$report"
}

hunt_mutants() {  # LABEL FLAG
  local label=$1 report=$log_folder/mutants$2.xml log=$log_folder/mutants$2.log status
  local -a flags=("$2")
  offered mutants && compgen -G "$root/tests/mutants/*.patch" >/dev/null || return 0
  may_start "$label" || return 0
  [ "$deadline" -eq 0 ] || flags+=(--budget $((deadline - SECONDS)))
  rm -f "$report"
  run_logged "planted bugs" "$log" 0 "$(program_path release cpr-mutants)" --junit "$report" "${flags[@]}"
  status=$?
  grep -E ' MISSED ' "$log"
  if [ $status -gt 1 ]; then
    tail -n 3 "$log"
    broken=$((broken + 1))
  fi
  grep -q '^left out' "$log" && left_out+=("$label: $(grep '^left out' "$log")")
  count_junit "$label" "$report"
}

basic_parts() {
  test_build release && run_ctest release ordinary -LE slow
  test_build sim && run_ctest sim ordinary -LE slow
  hunt_mutants "planted bugs, one per group" --one-per-group
}

further_parts() {
  local preset
  for preset in asan tsan; do
    test_build "$preset" && run_ctest "$preset" all
  done
  test_build release && run_ctest release slow -L slow
  test_build sim && run_ctest sim slow -L slow
  hunt_mutants "planted bugs, the others" --not-first
}

all_suites() {
  local suite
  echo '<?xml version="1.0" encoding="UTF-8"?>'
  echo '<testsuites>'
  for suite in "${suites[@]}"; do sed '/^<?xml/d' "$suite"; done
  echo '</testsuites>'
}

finish_tests() {  # JUNIT FILE or ""
  local part
  for part in "${left_out[@]}"; do echo "left out: $part"; done
  # Once more, where a long log is read first: at its end.
  if [ ${#failures[@]} -ne 0 ]; then
    echo "what failed:"
    printf '%s\n' "${failures[@]}"
  fi
  if [ -n "$1" ]; then all_suites >"$1" || die "test: cannot write $1"; fi
  [ $broken -eq 0 ] || echo "$broken parts could not run (see above)"
  echo "$passed passed, $failed failed"
  [ $broken -eq 0 ] || exit 3
  [ $failed -eq 0 ] || exit 1
  exit 0
}

test_main() {
  local basic=yes further=no budget='' junit='' end
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) synopsis test; exit 0 ;;
      --all) further=yes ;;
      --rest) basic=no further=yes ;;
      --budget | --junit)
        [ $# -ge 2 ] || die "test: $1 needs a value"
        if [ "$1" = --budget ]; then budget=$2; else junit=$2; fi
        shift
        ;;
      --budget=*) budget=${1#*=} ;;
      --junit=*) junit=${1#*=} ;;
      *) die "test: unknown argument '$1' (./cpr test --help)" ;;
    esac
    shift
  done
  if [ -n "$budget" ]; then
    [[ $budget =~ ^[1-9][0-9]{0,6}$ ]] || die "test: --budget '$budget': must be a number of seconds"
    deadline=$((SECONDS + budget))
  fi
  need test
  log_folder=$root/build/test
  mkdir -p "$log_folder"
  export CPR_ROOT=$root
  end=$deadline
  [ $further = no ] || deadline=0
  [ $basic = no ] || basic_parts
  deadline=$end
  [ $further = no ] || further_parts
  finish_tests "$junit"
}
