#!/bin/sh
# The disks of the guest, in the columns of `lsblk -b --nodeps`; busybox has no lsblk.
row() { printf '%-8s %7s %2s %14s %2s %-4s %s\n' "$@"; }
row NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINTS
for disk in /sys/block/*; do
  name=${disk##*/}
  case $name in loop* | ram*) continue ;; esac
  sectors=$(cat "$disk/size")
  [ "$sectors" -gt 0 ] || continue
  row "$name" "$(cat "$disk/dev")" "$(cat "$disk/removable")" $((sectors * 512)) "$(cat "$disk/ro")" disk ''
done
