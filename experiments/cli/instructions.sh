# shellcheck shell=bash
# ./cpr bench --instructions: what an operation costs in instructions, the loop around it subtracted. The
# figure that does not depend on what else the machine does.

count_loop() {  # PROGRAM OPERATION: instructions per operation, the loop included
  local keys=100000 count=500032
  valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*MeasuredLoop*' \
    "$1" "$2" $keys $count 2>&1 |
    awk -v count=$count '/Collected/ { print $4 / count; found = 1 } END { exit !found }'
}

count_instructions() {  # PROGRAM
  local operation cost loop
  for operation in read upsert rmw insert read-batch upsert-batch rmw-batch insert-batch; do
    case $operation in
      *-batch) loop=nothing-batch ;;
      *) loop=nothing ;;
    esac
    if ! cost=$(count_loop "$1" "$operation") || ! loop=$(count_loop "$1" $loop); then
      echo "cpr: valgrind did not count $operation" >&2
      return 3
    fi
    awk -v name="$operation" -v cost="$cost" -v loop="$loop" \
      'BEGIN { printf "%-14s%8.1f instructions per operation\n", name, cost - loop }'
  done
}
