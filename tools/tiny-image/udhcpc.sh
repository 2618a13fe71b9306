#!/bin/sh
# Called by udhcpc in the `tiny` guest; applies a lease and says the address. A renewal leaves the address in place, so
# that open connections live on.
case $1 in
  deconfig) ip -4 addr flush dev "$interface"; exit 0 ;;
  bound | renew) ;;
  *) exit 0 ;;
esac
prefix=$ip/${mask:-24}
if ! ip -4 -o addr show dev "$interface" | grep -qF " $prefix "; then
  ip -4 addr flush dev "$interface"
  ip addr add "$prefix" brd + dev "$interface"
fi
[ -n "${mtu:-}" ] && ip link set "$interface" mtu "$mtu"
# Of several interfaces the first leads out, whichever is answered last.
metric=$(cat "/sys/class/net/$interface/ifindex")
route() { ip route replace "$@" dev "$interface" metric "$metric"; }
if [ -n "${staticroutes:-}" ]; then # RFC 3442: with option 121 the router option is not to be used
  set -- $staticroutes
  while [ $# -ge 2 ]; do
    if [ "$2" = 0.0.0.0 ]; then route "$1"; else route "$1" via "$2" 2>/dev/null || route "$1" via "$2" onlink; fi
    shift 2
  done
else
  for gateway in ${router:-}; do route default via "$gateway"; break; done
fi
for server in ${dns:-}; do echo "nameserver $server"; done >/etc/resolv.conf
[ -e "/run/said-$interface-${ip}" ] && exit 0
: >"/run/said-$interface-${ip}"
read -r up _ </proc/uptime
echo "STRATA $up address $prefix" >/dev/console
