#!/bin/bash
. tests/show/bgp/one_node.sh
peers='{"name": "rr1", "address": "10.0.1.2"}, {"name": "rr2", "address": "10.0.1.3"}'
blocks='"10.244.0.0/26"'
machine rr1 2; machine rr2 3; machine m1 11
reflector rr1 2 ''; reflector rr2 3 ''
configure "$peers" "$blocks"
start_node
within 30 has rr1 10.244.0.0/26
within 30 has rr2 10.244.0.0/26
worst=0
for ((n = 1; n <= ROUNDS; n++)); do
  blocks+=", \"10.244.$n.0/26\""
  began=$(date +%s%N)
  configure "$peers" "$blocks"
  within 10 has rr1 "10.244.$n.0/26"
  within 10 has rr2 "10.244.$n.0/26"
  took=$((($(date +%s%N) - began) / 1000000))
  [ $took -le $worst ] || worst=$took
done
echo "$ROUNDS new blocks, each in both reflectors after at most $worst ms"
ctl node drain-routes
! has rr1 10.244.0.0/26 || { echo "still announced"; exit 1; }
ctl status | grep because
ctl node drain-routes --cancel
within 10 has rr1 10.244.0.0/26
[ $worst -lt 1000 ]
