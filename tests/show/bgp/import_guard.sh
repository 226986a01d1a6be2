#!/bin/bash
. tests/show/bgp/one_node.sh
machine rr1 2; machine m1 11
api
reflector rr1 2 ''
within 10 bird_of rr1 show status
{
  echo "protocol static { ipv4;"
  for net in 0.0.0.0/0 10.96.0.0/16 10.96.1.0/24; do echo "route $net via 10.0.1.2;"; done
  for ((i = 0; i < 100000; i++)); do
    echo "route $((20 + i / 65536)).$((i / 256 % 256)).$((i % 256)).0/24 via 10.0.1.2;"
  done
  echo "}"
} >> "$WORK/rr1/bird.conf"
within 10 bird_of rr1 configure
configure '{"name": "rr1", "address": "10.0.1.2", "maxPrefixes": 1000, "maxPrefixAction": "block"}' '"10.244.0.0/26"'
start_node
within 60 has rr1 10.244.0.0/26
within 60 says PrefixLimit
taken=$(ip -n m1 route | grep -c bird || true)
echo "$taken of 100,003 announced prefixes in the node's table"
ctl node status | grep -o 'PrefixLimit: .*' | head -1
told() { events | grep '^PrefixLimit '; }
within 20 told
echo "event: $(told)"
[ "$taken" = 0 ]
