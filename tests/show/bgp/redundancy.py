"""4.1: two reflectors, four nodes, dual stack: everybody reaches everybody; a
reflector that dies costs nothing; one that falls silent is noticed in time."""

import os
import pathlib
import signal
import sys
import time

from lab import Lab, Flow, count, first, wait

PROBE = pathlib.Path(__file__).parent / "probe_all.py"
HOLD = 9.0  # of rr-pair
HOLD_CHECKED = 1.5  # BIRD's timers are whole seconds, and we look 50 a second


def everybody(lab, pods):
    """Each pod asks all others, on all nodes, by both families."""
    targets = lab.dir / "targets"
    targets.write_text("\n".join(a for each in pods.values() for a in each))
    asked, missing = 0, []
    for (node, pod), own in pods.items():
        words = lab.run(f"{node}/{pod}", sys.executable, "-B", str(PROBE),
                        str(targets), *own).split()
        if not words:
            sys.exit(f"no answer of the prober in {node}/{pod}")
        asked += int(words[0])
        missing += [f"{node}/{pod} to {address}" for address in words[1:]]
    expected = len(pods) * 2 * (len(pods) - 1)
    print(f"{len(pods)} pods on {len(lab.nodes())} nodes, both families: "
          f"{asked - len(missing)} of {expected} paths work")
    for path in missing[:5]:
        print(f"does not work: {path}")
    return asked == expected and not missing


def killed(lab, pods):
    flows = [Flow(lab, "m1/p0", first(pods["m2", "p0"], 4)),
             Flow(lab, "m4/p0", first(pods["m3", "p0"], 6))]
    time.sleep(2)
    os.kill(lab.pid("router/rr1"), signal.SIGKILL)
    time.sleep(20)  # beyond the hold time
    good = True
    for flow, family in zip(flows, ("IPv4", "IPv6")):
        sent, lost, rate = flow.stop()
        print(f"rr1 killed, {family}: {sent} packets each way at "
              f"{rate:.0f}/s, {lost} lost")
        good &= lost == 0 and sent > 0
    return good


def silent(topology, limit):
    """Seconds from silence to the loss of both sessions, on m1."""
    with Lab(topology) as lab:
        lab.wait_settled()
        both = ("rr1", "rr1-6")
        if topology == "rr-bfd":
            wait("BFD is up", lambda: lab.bfd_up("m1") == 4)
        pods = lab.pods(1)
        flow = Flow(lab, "m1/p0", first(pods["m2", "p0"], 4))
        took = []
        for _ in range(count("SILENCES")):
            lab.lab("fault", "rr1=silent")
            took.append(wait(
                f"the silence is noticed ({topology})",
                lambda: not any(lab.up("m1", peer) for peer in both),
                limit + 20))
            lab.lab("fault", "rr1=up")
            if not all(lab.up("m1", peer) for peer in ("rr2", "rr2-6")):
                print("the other reflector's session fell too")
                return False
            wait("rr1 is back", lambda: all(lab.up("m1", p) for p in both), 90)
            if topology == "rr-bfd":
                wait("BFD is up", lambda: lab.bfd_up("m1") == 4)
        sent, lost, _ = flow.stop()
    print(f"rr1 silent, {topology}: noticed after "
          f"{', '.join(f'{t * 1000:.0f}' for t in took)} ms (limit "
          f"{limit * 1000:.0f}); {sent} packets each way meanwhile, {lost} lost")
    return max(took) <= limit and lost == 0


def main():
    with Lab("rr-pair") as lab:
        lab.wait_settled()
        pods = lab.pods(count("PODS"))
        good = everybody(lab, pods)
        good &= killed(lab, pods)
    good &= silent("rr-bfd", 1.0)
    good &= silent("rr-pair", HOLD + HOLD_CHECKED)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
