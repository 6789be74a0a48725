# shellcheck shell=bash disable=SC2154  # root, cores and the package lists come from cpr
# ./cpr doctor: what this machine has and lacks, and the one command that installs the rest. It changes
# nothing but for a small file that it writes, syncs and removes to time the disk.

doctor_packages() {  # SUBCOMMANDS<TAB>PACKAGE
  local package
  for package in "${base_packages[@]}"; do printf 'all\t%s\n' "$package"; done
  for package in "${test_packages[@]}"; do printf 'test\t%s\n' "$package"; done
  for package in "${ycsb_packages[@]}"; do printf 'ycsb\t%s\n' "$package"; done
  printf 'bench\tlibbenchmark-dev\n'
  printf 'pictures of pages\tchromium\n'
  printf 'fuzzing\t%s\n' clang libclang-rt-14-dev
}

# A row is NAME<TAB>STATE<TAB>DETAIL with STATE ok, missing or note (works without).
row() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }

row_of_room() {  # NAME MIB ADVISED
  if [ "$2" -ge "$3" ]; then row "$1" ok "$2 MiB free"; else row "$1" note "$2 MiB free; $3 advised"; fi
}

doctor_machine() {
  local value
  value=$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-unknown}")
  case $value in
    *"Linux 12"*) row system ok "$value, kernel $(uname -r)" ;;
    *) row system note "$value, kernel $(uname -r); made for Debian 12" ;;
  esac
  case $(uname -m) in
    x86_64) row processor ok "x86_64, $cores cores" ;;
    *) row processor missing "$(uname -m); the scheduler needs x86_64" ;;
  esac
  value=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
  row_of_room memory "$value" 2000
  value=$(df -Pm "$root" | awk 'NR == 2 {print $4}')
  row_of_room disk "$value" 4000
  value=$(LD_SHOW_AUXV=1 /bin/true 2>/dev/null | sed -n 's/^AT_HWCAP2: *//p')
  if [ $((${value:-0} & 2)) -ne 0 ]; then
    row wrfsbase ok "user space may set the FS base (AT_HWCAP2 ${value})"
  else
    row wrfsbase note "not for user space (AT_HWCAP2 ${value:-unknown}); switches between fibers are slower"
  fi
}

doctor_kernel() {
  local symbols
  symbols=$(grep -oE '__x64_sys_(membarrier|io_uring_setup)$' /proc/kallsyms 2>/dev/null)
  case $symbols in
    *membarrier*) row membarrier ok "system call present" ;;
    '') row membarrier note "cannot tell (/proc/kallsyms is not readable); in Linux since 4.3" ;;
    *) row membarrier missing "system call absent from this kernel" ;;
  esac
}

doctor_uring() {
  local disabled
  disabled=$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null)
  case $disabled in
    0) row io_uring ok "not disabled (a container's filter may still forbid it: --storage uring says so)" ;;
    '') row io_uring note "no switch in this kernel; --storage uring says whether it works" ;;
    *) row io_uring note "kernel.io_uring_disabled is $disabled; --storage uring is refused" ;;
  esac
}

doctor_io() {
  local file=$root/.cpr-doctor-io seconds
  if ! dd if=/dev/zero of="$file" bs=4k count=1 conv=fsync status=none 2>/dev/null; then
    row 'disk writes' missing "cannot write and sync a file in the source folder"
    rm -f "$file"
    return
  fi
  seconds=$(LC_ALL=C dd if=/dev/zero of="$file" bs=4k count=50 oflag=dsync 2>&1 |
    sed -n 's/.* \([0-9.e-]*\) s, .*/\1/p')
  row 'disk writes' ok "$(awk "BEGIN {printf \"%.2f\", ${seconds:-0} * 20}") ms for a synced 4 KiB write"
  if dd if=/dev/zero of="$file" bs=4k count=1 oflag=direct status=none 2>/dev/null; then
    row 'direct I/O' ok "supported here"
  else
    row 'direct I/O' note "not supported here"
  fi
  rm -f "$file"
}

doctor_tool() {  # NAME COMMAND...: the version a tool reports
  local name=$1 version
  shift
  if command -v "$1" >/dev/null 2>&1; then
    version=$("$@" 2>/dev/null | head -n 1)
    row "$name" ok "$version"
  else
    row "$name" missing "not installed"
  fi
}

doctor_rows() {
  local subcommands package version
  doctor_machine
  doctor_kernel
  doctor_uring
  doctor_io
  doctor_tool compiler g++ --version
  doctor_tool cmake cmake --version
  doctor_tool ninja ninja --version
  doctor_tool gnuplot gnuplot --version
  doctor_tool chromium chromium --version | sed 's/\tmissing\t/\tnote\t/'
  while IFS=$'\t' read -r subcommands package; do
    # shellcheck disable=SC2016  # dpkg-query's own variables
    version=$(dpkg-query -W -f='${db:Status-Status} ${Version}' "$package" 2>/dev/null)
    case $version in
      "installed "*) row "package $package" ok "${version#installed } ($subcommands)" ;;
      *)
        case $package in
          chromium) ;;
          clang | libclang-rt-*) row "package $package" note "not installed ($subcommands only)" ;;
          *) row "package $package" missing "not installed ($subcommands)" ;;
        esac
        ;;
    esac
  done < <(doctor_packages)
}

json_string() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

doctor_json() {  # INSTALL COMMAND; rows on stdin
  local name state detail comma=
  printf '{\n  "install": %s,\n  "checks": [' "$(json_string "$1")"
  while IFS=$'\t' read -r name state detail; do
    printf '%s\n    {"name": %s, "state": %s, "detail": %s}' "$comma" \
      "$(json_string "$name")" "$(json_string "$state")" "$(json_string "$detail")"
    comma=,
  done
  printf '\n  ]\n}\n'
}

doctor_main() {
  local json=no rows install='' name state detail
  local -a lacking
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) synopsis doctor; return 0 ;;
      --json) json=yes ;;
      *) die "doctor: unknown argument '$1' (./cpr doctor --help)" ;;
    esac
    shift
  done
  command -v dpkg-query >/dev/null || die "doctor: no dpkg-query; this needs Debian 12"
  rows=$(doctor_rows)
  mapfile -t lacking < <(awk -F '\t' '$1 ~ /^package / && $2 == "missing" {print substr($1, 9)}' <<<"$rows")
  [ ${#lacking[@]} -eq 0 ] || install=$(install_command "${lacking[@]}")
  if [ $json = yes ]; then
    doctor_json "$install" <<<"$rows"
    return 0
  fi
  while IFS=$'\t' read -r name state detail; do
    printf '%-8s %-36s %s\n' "$state" "$name" "$detail"
  done <<<"$rows"
  echo
  if [ -n "$install" ]; then
    echo "Install what is missing (each subcommand of ./cpr also installs its own):"
    echo "  $install"
  else
    echo "Every package is installed."
  fi
}
