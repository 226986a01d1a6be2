"""4.3: a node whose routes are drained under traffic loses no packet: they stay
until the traffic is gone, are withdrawn then, and come back on --cancel."""

import json
import sys
import time

from lab import Lab, Flow, count, first, wait

NODE = "m2"


def drain_state(lab):
    view = json.loads(lab.ctl(NODE, "ipam", "show", "-o", "json").stdout)
    return view["supply"]["drain"]["state"]


def one_round(lab, pod):
    blocks = lab.topology["nodes"][NODE]["blocks"]
    whole = lab.routes("m1")
    flows = [Flow(lab, "m1/p0", first(pod, family)) for family in (4, 6)]
    time.sleep(1)
    lab.ctl(NODE, "node", "drain-routes", "--no-wait")
    time.sleep(7)  # beyond bgp.drain.quiet: traffic holds the routes
    held = drain_state(lab) == "lowered" and lab.routes("m1") == whole
    figures = [flow.stop() for flow in flows]
    gone = wait("the routes are withdrawn",
                lambda: lab.routes("m1") == whole - len(blocks), 30)
    lab.ctl(NODE, "node", "drain-routes", "--cancel")
    wait("the routes are back", lambda: lab.routes("m1") == whole, 30)
    if not held:
        print("the routes went under traffic")
    return held, figures, gone


def main():
    good, sent, lost, slowest = True, 0, 0, 0.0
    rounds = count("DRAINS")
    with Lab("rr-pair") as lab:
        lab.wait_settled()
        pod = lab.pods(1)[NODE, "p0"]
        for _ in range(rounds):
            held, figures, gone = one_round(lab, pod)
            good &= held
            sent += sum(f[0] for f in figures)
            lost += sum(f[1] for f in figures)
            slowest = max(slowest, gone)
    print(f"{NODE} drained under traffic, {rounds} times: {sent} packets each "
          f"way, both families, {lost} lost; withdrawn at most {slowest:.1f} s "
          f"after the last packet, back on --cancel")
    return 0 if good and lost == 0 and sent > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
