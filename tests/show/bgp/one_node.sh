# shellcheck shell=bash
# One node with the real linseyd, its BIRD under the supervisor, and two
# reflectors, in namespaces that end with the script. Sourced inside
# `unshare -n -m -p -f --kill-child --mount-proc`; $BUILD and $WORK are set.
# api() gives it an API server, whose object of the node it then reads.
set -euo pipefail
mount -t tmpfs none /run
mkdir -p /run/netns "$WORK"/{m1,rr1,rr2}
ip link set lo up
ip link add fabric type bridge
ip link set fabric up

machine() { # machine NAME LAST-BYTE
  ip netns add "$1"
  ip link add "to-$1" type veth peer name eth0 netns "$1"
  ip link set "to-$1" master fabric up
  ip -n "$1" link set lo up
  ip -n "$1" addr add "10.0.1.$2/24" dev eth0
  ip -n "$1" link set eth0 up
}

reflector() { # reflector NAME LAST-BYTE SESSION-OPTIONS
  cat > "$WORK/$1/bird.conf" <<X
log stderr all;
router id 10.0.1.$2;
protocol device {}
protocol bgp m1 {
  local 10.0.1.$2 as 64512; neighbor 10.0.1.11 as 64512;
  rr client; direct; connect delay time 1; connect retry time 1;
  error wait time 1, 4; graceful restart on; $3
  ipv4 { import all; export all; };
}
X
  ip netns exec "$1" bird -f -c "$WORK/$1/bird.conf" -s "$WORK/$1/ctl" \
    > "$WORK/$1/log" 2>&1 &
}

SERVER=
api() { # api ARGUMENTS...: the simulated API server in m1, with the shipped
  # types and the node
  cat > "$WORK/objects.yaml" <<X
{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "m1", "labels": {"site": "dc"}},
 "spec": {}, "status": {"addresses": [{"type": "InternalIP", "address": "10.0.1.11"}]}}
X
  ip netns exec m1 "$BUILD/lab/linsey-lab" api --listen 127.0.0.1:6443 \
    --kubeconfig "$WORK/kubeconfig" --apply install/base/crds \
    --apply "$WORK/objects.yaml" "$@" --plain > "$WORK/api.log" 2>&1 &
  SERVER='"kubernetes": {"source": "kubeconfig", "kubeconfig": "'"$WORK"'/kubeconfig"},'
  within 10 shown api/v1/nodes/m1
}
shown() { # shown PATH CURL-OPTIONS...: an object of the API server
  ip netns exec m1 curl -sf -H "Authorization: Bearer admin" \
    "http://127.0.0.1:6443/$1" "${@:2}"
}
conditions() { # of NodeNetwork, and LinseyReady of the node, one a line
  { shown apis/linsey.dev/v1/nodenetworks/m1; shown api/v1/nodes/m1; } |
    python3 -c '
import json, sys
decoder, text = json.JSONDecoder(), sys.stdin.read()
while text.strip():
    one, end = decoder.raw_decode(text.lstrip())
    text = text.lstrip()[end:]
    for c in one.get("status", {}).get("conditions", []):
        print(one["kind"], c["type"], c["status"], c["reason"], c["message"])'
}
events() { # REASON NOTE of all events, one a line
  shown apis/events.k8s.io/v1/events | python3 -c '
import json, sys
for e in json.load(sys.stdin)["items"]:
    print(e["reason"], e["note"])'
}

claim() { # claim PEERS: blocks are claimed in the API server
  configure "$1" ''
}
configure() { # configure PEERS BLOCKS
  local blocks='"pools": [{"name": "p", "cidr": "10.244.0.0/16"}],
    "blocks": {"assignments": {"m1": ['"$2"']}}'
  [ -n "$2" ] || blocks='"blocks": {"source": "cluster"}'
  cat > "$WORK/m1/agent.json.new" <<X
{"version": 1, "node": {"name": "m1", "file": "$WORK/m1/node.json"},
 $SERVER
 "socket": "$WORK/m1/agent.sock", "runDir": "$WORK/m1/run",
 "stateDir": "$WORK/m1/state",
 "modes": [{"name": "dc", "selector": "site=dc", "mode": "bgp"}],
 "evidence": {"dmiPath": "$WORK/m1/dmi"},
 "cidrs": {"services": ["10.96.0.0/16"]},
 $blocks,
 "bgp": {"peers": [$1], "bird": {"configFile": "$WORK/m1/bird.conf",
                                 "controlSocket": "$WORK/m1/bird.ctl"}}}
X
  mv "$WORK/m1/agent.json.new" "$WORK/m1/agent.json"
}

start_node() {
  cat > "$WORK/m1/node.json" <<X
{"metadata": {"name": "m1", "labels": {"site": "dc"}}, "spec": {},
 "status": {"addresses": [{"type": "InternalIP", "address": "10.0.1.11"}]}}
X
  echo "PowerEdge R650" > "$WORK/m1/dmi"
  ip netns exec m1 "$BUILD/agent/linseyd" --config "$WORK/m1/agent.json" \
    > "$WORK/m1/log" 2>&1 &
  ip netns exec m1 "$BUILD/agent/linseyd" bird-supervisor \
    --bird-config "$WORK/m1/bird.conf" --bird-socket "$WORK/m1/bird.ctl" \
    > "$WORK/m1/bird.log" 2>&1 &
}

ctl() { "$BUILD/ctl/linseyctl" --socket "$WORK/m1/agent.sock" "$@" || true; }
bird_of() { birdc -s "$WORK/$1/$([ "$1" = m1 ] && echo bird.)ctl" "${@:2}"; }

within() { # within SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "not in time: $*"; exit 1; }
    sleep 0.02
  done
}
says() { ctl node status | grep -q -- "$1"; }
has() { bird_of "$1" show route "$2" | grep -q m1; }
