# The common part of ./up and ./strata: set up what is missing, then become main.ts.
# shellcheck shell=bash
# shellcheck source=tools/bootstrap.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"

# start_strata ARGUMENT...: --no-install is ours, all else belongs to main.ts.
start_strata() {
  local -a arguments=()
  local argument help=
  for argument; do
    case $argument in
      --no-install) export STRATA_NO_INSTALL=1 ;;
      -h | --help | help | -V | --version) help=1 arguments+=("$argument") ;;
      *) arguments+=("$argument") ;;
    esac
  done
  # Help is for everyone: it needs neither root nor QEMU.
  if [[ -z $help ]]; then require_cloud_packages; fi
  require_node
  if [[ -z $help && ${1:-} == up ]]; then require_console; fi
  # Compiled code is kept between starts; without a writable directory Node just does without.
  export NODE_COMPILE_CACHE=${NODE_COMPILE_CACHE:-$strata_root/node_modules/.cache/compile}
  # Small young generation and few malloc arenas: a third less memory under load, at no cost in speed (bench: memory, list, creates).
  export MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-2}
  exec "$node" --max-semi-space-size=4 "$strata_root/src/main.ts" "${arguments[@]}"
}
