"""4.6: peers that are up but filter a prefix: other nodes tell it by its own
reason, and `linseyctl bgp check` by the prefix."""

import sys

from lab import Lab, wait

BLOCK = "10.244.0.64/27"  # of m2; the switches of tor-26 drop it


def main():
    with Lab("tor-26") as lab:
        for node in lab.nodes():
            wait(f"sessions of {node}", lambda n=node: lab.settled(n), 90)
        took = wait("PrefixNotPropagated is told",
                    lambda: "PrefixNotPropagated" in lab.ctl(
                        "m1", "node", "status").stdout, 90)
        line = next(l for l in lab.ctl("m1", "node", "status").stdout
                    .splitlines() if l.startswith("trouble:"))
        print(f"told after {took:.0f} s: {line}")
        check = lab.ctl("m1", "bgp", "check")
        print(check.stdout.strip())
        good = BLOCK in line
        good &= check.returncode == 1 and BLOCK in check.stdout
        # The owner cannot see it; and nothing else is missing.
        good &= lab.ctl("m2", "bgp", "check").returncode == 0
        metrics = lab.run("m1", "curl", "-s", "--unix-socket",
                          str(lab.socket("m1")), "http://agent/metrics")
        good &= "linsey_bgp_blocks_not_propagated 1" in metrics
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
