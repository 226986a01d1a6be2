#!/bin/bash
# With blocks in the API server: a block of m2 that no router tells of, one of
# m3, which is down, and one of m4 that arrives.
. tests/show/bgp/one_node.sh
machine rr1 2; machine m1 11
block() { # block NODE LAST-BYTE
  printf '{"apiVersion": "linsey.dev/v1", "kind": "IPBlock",
   "metadata": {"name": "4-0af400%02x-26", "labels": {"linsey.dev/node": "%s", "linsey.dev/pool": "p"}},
   "spec": {"cidr": "10.244.0.%d/26", "pool": "p", "node": "%s", "nodeUID": "u", "state": "confirmed"}}\n' \
    "$2" "$1" "$2" "$1"
}
node() { # node NAME READY
  echo '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "'"$1"'"},
   "status": {"conditions": [{"type": "Ready", "status": "'"$2"'"}]}}'
}
mkdir "$WORK/more"
node m2 True > "$WORK/more/m2.yaml"; block m2 64 > "$WORK/more/b2.yaml"
node m3 False > "$WORK/more/m3.yaml"; block m3 128 > "$WORK/more/b3.yaml"
node m4 True > "$WORK/more/m4.yaml"; block m4 192 > "$WORK/more/b4.yaml"
cat > "$WORK/more/pool.yaml" <<X
{"apiVersion": "linsey.dev/v1", "kind": "IPPool", "metadata": {"name": "p"},
 "spec": {"cidr": "10.244.0.0/16", "blockSize": 26}}
X
reflector rr1 2 ''
within 10 bird_of rr1 show status
echo 'protocol static { ipv4; route 10.244.0.192/26 via 10.0.1.2; }' >> "$WORK/rr1/bird.conf"
bird_of rr1 configure > /dev/null
api --apply "$WORK/more"
shown apis/linsey.dev/v1/ippools/p/status -X PATCH \
  -H 'Content-Type: application/merge-patch+json' -d '{"status":
  {"conditions": [{"type": "Valid", "status": "True", "reason": "Valid",
    "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}' > /dev/null
claim '{"name": "rr1", "address": "10.0.1.2"}'
start_node
began=$SECONDS
within 120 says PrefixNotPropagated
echo "told after $((SECONDS - began)) s: $(ctl node status | grep '^trouble:')"
says 'leads to 10.244.0.64/26 of other nodes'
told() { conditions | grep '^NodeNetwork PrefixNotPropagated True'; }
within 20 told
told
ready() { conditions | grep '^Node LinseyReady True PrefixNotPropagated'; }
within 20 ready
ready
# By hand: all of them, whatever is known of their nodes.
ctl bgp check | tee "$WORK/check"
grep -q 'lead to 1 of 3 blocks' "$WORK/check"
