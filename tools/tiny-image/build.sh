#!/bin/sh
# Builds the built-in `tiny` VM image, so that a cloud has something to boot without any download.
# usage: build.sh OUTDIR   writes OUTDIR/tiny.qcow2 (BIOS bootable: MBR + FAT + syslinux). Needs no root, loop or mount.
#
# Kernel, in this order: $KERNEL (a release such as 6.1.0-56-cloud-amd64), the newest /boot/vmlinuz-*-cloud-amd64,
# the newest /boot/vmlinuz-*, else Debian's linux-image-cloud package, unpacked (not installed) below $CACHE_DIR.
# Needs busybox-static, cpio, kmod, syslinux, mtools, fdisk, qemu-utils; with dropbear-bin the guest has an SSH server.
set -eu
PATH=$PATH:/sbin:/usr/sbin
OUT=${1:?usage: build.sh OUTDIR}
HERE=$(cd "$(dirname "$0")" && pwd)
SIZE_MB=${SIZE_MB:-48}
BUSYBOX=${BUSYBOX:-/bin/busybox}
MBR=${MBR:-/usr/lib/SYSLINUX/mbr.bin}

missing=
for tool in cpio modprobe depmod sfdisk mformat mcopy syslinux qemu-img; do
  command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -r "$MBR" ] || missing="$missing $MBR"
[ -x "$BUSYBOX" ] || missing="$missing $BUSYBOX"
if [ -n "$missing" ]; then
  echo "tiny image: missing:$missing (apt-get install busybox-static cpio kmod syslinux mtools fdisk qemu-utils)" >&2
  exit 1
fi

mkdir -p "$OUT"
WORK=$(mktemp -d "$OUT/.tiny.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
trap 'exit 1' INT TERM

newest() { ls "$@" 2>/dev/null | sort -V | tail -n 1; }

# Sets IMAGE (the kernel), RELEASE and MODULES (the root under which lib/modules/$RELEASE lies).
find_kernel() {
  MODULES=/
  if [ -n "${KERNEL:-}" ]; then IMAGE=/boot/vmlinuz-$KERNEL
  else IMAGE=$(newest /boot/vmlinuz-*-cloud-amd64); [ -n "$IMAGE" ] || IMAGE=$(newest /boot/vmlinuz-*); fi
  # A kernel without its modules (a container host's /boot) is of no use here.
  [ -n "$IMAGE" ] && [ -r "$IMAGE" ] && [ -d "/lib/modules/${IMAGE##*/vmlinuz-}" ] || unpack_kernel
  RELEASE=${IMAGE##*/vmlinuz-}
}

unpack_kernel() {
  MODULES=${CACHE_DIR:-$OUT/.kernel-cache}
  mkdir -p "$MODULES"
  IMAGE=$(newest "$MODULES"/boot/vmlinuz-*-cloud-amd64)
  if [ -z "$IMAGE" ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    [ -n "$package" ] || { echo 'tiny image: no kernel in /boot, and apt knows no linux-image-cloud-amd64' >&2; exit 1; }
    (cd "$MODULES" && apt-get -q download "$package" >/dev/null && dpkg-deb -x "$package"_*.deb . && rm -f "$package"_*.deb)
    IMAGE=$(newest "$MODULES"/boot/vmlinuz-*-cloud-amd64)
    [ -n "$IMAGE" ] || { echo "tiny image: $package holds no kernel" >&2; exit 1; }
  fi
  depmod -b "$MODULES" "${IMAGE##*/vmlinuz-}"
}

# Copies the modules named, and all they need, to lib/m, and lists them in load order in lib/$1. What is built into the
# kernel is not listed; distributions compress modules in different ways, the guest gets them plain.
add_modules() {
  list=$ROOT/lib/$1; shift
  : >"$list"
  for module; do
    modprobe -d "$MODULES" -S "$RELEASE" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | awk '!seen[$0]++' | while read -r file; do
    name=${file##*/}; name=${name%%.ko*}.ko
    case $file in
      *.xz) xz -dc "$file" ;; *.zst) zstd -qdc "$file" ;; *.gz) gzip -dc "$file" ;; *) cat "$file" ;;
    esac >"$ROOT/lib/m/$name"
    echo "$name" >>"$list"
  done
}

find_kernel
ROOT=$WORK/root
for dir in bin dev etc/acpi/PWRF lib/m mnt proc root run sbin sys tmp www; do mkdir -p "$ROOT/$dir"; done
cp "$BUSYBOX" "$ROOT/bin/busybox"
cp "$HERE/init" "$ROOT/init"
cp "$HERE/udhcpc.sh" "$ROOT/etc/udhcpc.sh"
cp "$HERE/lsblk.sh" "$ROOT/bin/lsblk"
cp "$HERE/blkid.sh" "$ROOT/bin/blkid"
# Scripts for images with users of their own put it before their commands; here everybody is root.
printf '#!/bin/sh\nexec "$@"\n' >"$ROOT/bin/sudo"
printf '#!/bin/sh\nsync\nexec busybox poweroff -f\n' >"$ROOT/etc/acpi/PWRF/00000080"
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$ROOT/etc/passwd"
printf 'root:x:0:\n' >"$ROOT/etc/group"
chmod 755 "$ROOT/init" "$ROOT/bin/lsblk" "$ROOT/bin/blkid" "$ROOT/bin/sudo" "$ROOT/etc/udhcpc.sh" "$ROOT/etc/acpi/PWRF/00000080"

# The SSH server is dynamic: with it come its libraries, where it looks for them.
if DROPBEAR=$(command -v dropbear); then
  install -D -m 755 "$DROPBEAR" "$ROOT/sbin/dropbear"
  ldd "$DROPBEAR" | grep -o '/[^ ]*' | while read -r library; do install -D -m 755 "$library" "$ROOT$library"; done
  mkdir -p "$ROOT/etc/dropbear"
fi

# Separate lists, so that the way to `ready` loads only what it needs.
add_modules power button evdev
add_modules net virtio_pci virtio_net af_packet
add_modules rest virtio_blk virtio_rng virtio_balloon
add_modules drive virtio_scsi sd_mod ahci sr_mod isofs nls_ascii nls_cp437 nls_iso8859-1 vfat
(cd "$ROOT" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | gzip -1n) >"$WORK/initrd.gz"

cat >"$WORK/syslinux.cfg" <<C
SERIAL 0 115200
DEFAULT tiny
PROMPT 0
TIMEOUT 0
LABEL tiny
 LINUX /vmlinuz
 INITRD /initrd.gz
 APPEND console=tty0 console=ttyS0 quiet no_timer_check random.trust_cpu=on ${CMDLINE:-}
C
export MTOOLS_SKIP_CHECK=1
DISK=$WORK/tiny.raw
truncate -s "${SIZE_MB}M" "$DISK"
printf 'label: dos\nlabel-id: 0x74696e79\nstart=2048, type=e, bootable\n' | sfdisk -q "$DISK"
dd if="$MBR" of="$DISK" conv=notrunc bs=440 count=1 status=none
mformat -i "$DISK@@1M" -T $((SIZE_MB * 2048 - 2048)) -h 16 -s 63 -H 2048 -c 16 ::
syslinux --install --offset 1048576 "$DISK"
cp "$IMAGE" "$WORK/vmlinuz"
mcopy -i "$DISK@@1M" "$WORK/syslinux.cfg" "$WORK/vmlinuz" "$WORK/initrd.gz" ::/
qemu-img convert -f raw -O qcow2 "$DISK" "$WORK/tiny.qcow2"
mv "$WORK/tiny.qcow2" "$OUT/tiny.qcow2"
echo "tiny image: kernel $RELEASE -> $OUT/tiny.qcow2 ($(du -k "$OUT/tiny.qcow2" | cut -f1) KiB)"
