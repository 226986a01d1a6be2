#!/bin/bash
. tests/show/bgp/one_node.sh
machine rr1 2; machine rr2 3; machine m1 11
reflector rr1 2 'password "right";'; reflector rr2 3 ''
echo wrong > "$WORK/password"
api
configure '{"name": "rr1", "address": "10.0.1.2", "passwordFile": "'"$WORK"'/password"},
  {"name": "rr2", "address": "10.0.1.3", "asNumber": 64999},
  {"name": "nobody", "address": "10.0.1.99"}' '"10.244.0.0/26"'
start_node
all_told() {
  says 'peer_rr1 .*PeerPasswordMismatch' && says 'peer_rr2 .*PeerAsMismatch' &&
    says 'peer_nobody .*PeerUnreachable'
}
within 60 all_told
ctl node status | grep -E '^trouble:'
for reason in PeerPasswordMismatch PeerAsMismatch PeerUnreachable; do
  condition() { conditions | grep "^NodeNetwork $reason True $reason $reason: "; }
  within 20 condition
  condition
  within 20 eval "events | grep '^$reason '"
  curl -s --unix-socket "$WORK/m1/agent.sock" http://agent/metrics |
    grep "linsey_bgp_session_fault.*$reason"
done
ready() { conditions | grep '^Node LinseyReady True Peer'; }
within 20 ready
ready
