#!/bin/sh
# busybox comes without blkid here: the labels of ISO 9660 volumes, which is what a config drive is.
# blkid [-L LABEL] [-o device]: with either, only names of devices; 2 when there is none.
wanted= names=
while getopts L:o: option; do
  case $option in
    L) wanted=$OPTARG names=1 ;;
    o) [ "$OPTARG" != device ] || names=1 ;;
    *) exit 4 ;;
  esac
done
status=2
for disk in /dev/sr* /dev/vd* /dev/sd*; do
  [ -b "$disk" ] && [ "$(dd if="$disk" bs=1 skip=32769 count=5 2>/dev/null)" = CD001 ] || continue
  label=$(dd if="$disk" bs=1 skip=32808 count=32 2>/dev/null | sed 's/ *$//')
  [ -z "$wanted" ] || [ "$label" = "$wanted" ] || continue
  status=0
  if [ -n "$names" ]; then echo "$disk"; else echo "$disk: LABEL=\"$label\" TYPE=\"iso9660\""; fi
done
exit $status
