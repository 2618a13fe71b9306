# Brings a fresh clone to the point where main.ts can run; sourced by ./up, ./strata and ./test.
# Everything is checked before anything is installed: a second start runs no apt, no npm and needs no network.
# shellcheck shell=bash disable=SC2034

strata_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# A shell opened by plain `su` has no sbin directories, and every tool of the network lives there.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# "Debian package:what proves that it is there". A word with a slash is a file pattern, any other a command.
packages_cloud=(
  qemu-system-x86:qemu-system-x86_64
  qemu-utils:qemu-img
  podman:podman
  crun:crun
  conmon:conmon
  nftables:nft
  dnsmasq-base:dnsmasq
  iproute2:ip
  conntrack:conntrack
  iputils-ping:ping
  openssl:openssl
  procps:sysctl
  kmod:modprobe
  busybox-static:/var/lib/dpkg/info/busybox-static.list
  cpio:cpio
  dropbear-bin:dropbear
  syslinux:syslinux
  mtools:mcopy
  genisoimage:genisoimage
  fdisk:sfdisk
  xz-utils:xz
  zstd:zstd
)
packages_postgresql=('postgresql:/usr/lib/postgresql/*/bin/initdb')
packages_clients=(python3-openstackclient:openstack)
packages_console=(chromium:chromium)
packages_peers=(tempest:tempest python3-stestr:stestr)

say() { printf '%s\n' "$*" >&2; }
fail() { say "strata: $*"; exit 1; }

present() {
  case $1 in
    /*) compgen -G "$1" >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

is_debian() {
  local line
  [[ -r /etc/os-release ]] || return 1
  while read -r line; do
    case $line in ID=*debian* | ID=*ubuntu* | ID_LIKE=*debian* | ID_LIKE=*ubuntu*) return 0 ;; esac
  done </etc/os-release
  return 1
}

# The tiny image boots any kernel of /boot whose modules are there; only a container usually has none.
kernel_package() {
  local image
  for image in /boot/vmlinuz-*; do
    [[ -r $image && -d /lib/modules/${image##*/vmlinuz-} ]] && return
  done
  if grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null; then echo linux-image-virtual; else echo linux-image-cloud-amd64; fi
}

# Prints the Debian packages that are missing among the entries given.
missing_packages() {
  local entry
  for entry; do
    present "${entry#*:}" || printf '%s\n' "${entry%%:*}"
  done
}

apt_install() {
  local -a options=(-y --no-install-recommends -o DPkg::Lock::Timeout=300)
  export DEBIAN_FRONTEND=noninteractive
  if [[ " $* " == *' postgresql '* ]]; then
    # The tests start a private cluster; Debian's own would be a server nobody asked for.
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/strata.conf
  fi
  compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || apt-get -q update >&2
  apt-get -q install "${options[@]}" "$@" >&2 && return
  say 'apt-get failed: trying once more with fresh package lists'
  apt-get -q update >&2
  apt-get -q install "${options[@]}" "$@" >&2
}

# require_packages ENTRY...: installs what is missing, or says what is missing and stops.
require_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  if [[ -n ${STRATA_NO_INSTALL:-} ]]; then fail "missing (--no-install was given), Debian's names: ${missing[*]}"; fi
  if ! is_debian; then
    fail "this is not Debian or Ubuntu; install the equivalents of these Debian packages: ${missing[*]}"
  fi
  if ((EUID != 0)); then fail "run as root, or install first: apt-get install ${missing[*]}"; fi
  say "installing from the distribution: ${missing[*]}"
  apt_install "${missing[@]}" || fail "apt-get could not install: ${missing[*]} (on Ubuntu these need the 'universe' component)"
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) || fail "still missing after the installation: ${missing[*]}"
}

require_cloud_packages() {
  local -a entries=("${packages_cloud[@]}")
  local kernel
  kernel=$(kernel_package)
  [[ -z $kernel ]] || entries+=("$kernel:/boot/vmlinuz-*")
  require_packages "${entries[@]}"
}

# The npm of the distribution only fetches the pinned Node and the pinned npm; these two install the rest. An old npm
# on an old Node leaves out optional packages (the native parsers of vitest) without a word; and npm 12 runs no install
# scripts while older ones do. Ours never runs any: the only one, that of the package `node`, would fetch this binary.
npm_version=11.19.1

install_node_modules() {
  local arch version config cache=$strata_root/.cache/node modules=$strata_root/node_modules
  local -a options=(--ignore-scripts --no-audit --no-fund --loglevel=error)
  if [[ -n ${STRATA_NO_INSTALL:-} ]]; then
    fail 'the npm packages are missing or not those of package-lock.json (--no-install was given)'
  fi
  if ! command -v npm >/dev/null; then require_packages npm:npm; fi
  case $HOSTTYPE in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) fail "there is no Node 24 package for the architecture $HOSTTYPE" ;;
  esac
  version=$(sed -n 's/^ *"node": "\([0-9.]*\)",*$/\1/p' "$strata_root/package.json")
  say "installing Node $version and the npm packages"
  mkdir -p "$cache"
  echo '{ "private": true }' >"$cache/package.json"
  # A proxy's certificate or a mirror may be named in the file that belongs to the distribution's npm.
  config=$(cd "$cache" && npm config get globalconfig 2>/dev/null)
  (cd "$cache" && npm install --no-save --no-package-lock "${options[@]}" \
    "node-linux-$arch@$version" "npm@$npm_version" >&2) || fail "npm could not fetch Node $version"
  (cd "$strata_root" && PATH=$cache/node_modules/node-linux-$arch/bin:$PATH npm_config_globalconfig=$config \
    node "$cache/node_modules/npm/bin/npm-cli.js" ci "${options[@]}" >&2) || fail 'npm ci failed'
  mkdir -p "$modules/node/bin"
  ln -f "$cache/node_modules/node-linux-$arch/bin/node" "$modules/node/bin/node"
  ln -sf ../node/bin/node "$modules/.bin/node"
  [[ $("$modules/node/bin/node" --version) == "v$version" ]] || fail "Node $version does not run on this machine"
  cp "$strata_root/package-lock.json" "$modules/.strata-lock"
}

node_modules_current() {
  [[ -x $strata_root/node_modules/node/bin/node ]] &&
    cmp -s "$strata_root/package-lock.json" "$strata_root/node_modules/.strata-lock"
}

# Sets `node`, the path of the pinned Node.
require_node() {
  if ! node_modules_current; then
    # Two first starts at once would install over each other.
    exec 9<"$strata_root"
    if command -v flock >/dev/null; then flock 9; fi
    node_modules_current || install_node_modules
    exec 9<&-
  fi
  node=$strata_root/node_modules/node/bin/node
}

# The web console is built once from what is in web/, and again when that or a package has changed.
require_console() {
  local built=$strata_root/.cache/console log
  if [[ -f $built/index.html && -z $(find "$strata_root/web" "$strata_root/package-lock.json" -newer "$built/index.html" -print -quit) ]]; then
    return
  fi
  say 'building the web console'
  log=$(cd "$strata_root" && NODE_ENV=production STRATA_CONSOLE_DIR=$built.$$ "$node" node_modules/vite/bin/vite.js build web --configLoader native --logLevel error 2>&1) || {
    rm -rf "$built.$$"
    fail "the web console does not build: $log"
  }
  # In one step: a cloud that serves the old one goes on with the new.
  rm -rf "$built.old"
  if [[ -d $built ]]; then mv -T "$built" "$built.old"; fi
  mv -T "$built.$$" "$built"
  rm -rf "$built.old"
}
