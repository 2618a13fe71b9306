#!/bin/sh
# usage: build.sh OUT.tar
# Makes the built-in `tiny` container image, an archive as of `docker save`, from Debian's busybox-static.
# Needs no root, no network and no container engine; the same busybox gives the same bytes.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUT.tar" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
busybox=${BUSYBOX:-/bin/busybox}
[ -x "$busybox" ] || { echo "$0: $busybox is missing: install the Debian package busybox-static" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
archive=$work/archive
umask 022
mkdir -p "$archive"
for dir in bin dev etc proc root run sys tmp var www; do mkdir -p "$root/$dir"; done
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
"$busybox" --list | while read -r applet; do
  [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
install -m 755 "$here/init" "$root/init"
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"

pack() { # FOLDER OUT
  (cd "$1" && tar --create --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -- *) >"$2"
}
digest() { sha256sum "$1" | cut -d ' ' -f 1; }

case $(uname -m) in
  x86_64) architecture=amd64 ;;
  aarch64) architecture=arm64 ;;
  *) architecture=$(uname -m) ;;
esac

pack "$root" "$work/layer.tar"
layer=$(digest "$work/layer.tar")
mv "$work/layer.tar" "$archive/$layer.tar"
cat >"$work/config.json" <<J
{"architecture":"$architecture","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Env":["PATH=/bin"],"Cmd":["/init"],"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},"history":[{"created":"1970-01-01T00:00:00Z","created_by":"strata tools/tiny-container"}]}
J
config=$(digest "$work/config.json")
mv "$work/config.json" "$archive/$config.json"
printf '[{"Config":"%s.json","RepoTags":["localhost/strata-tiny:latest"],"Layers":["%s.tar"]}]\n' "$config" "$layer" >"$archive/manifest.json"
pack "$archive" "$work/out.tar"
mv "$work/out.tar" "$1"
