"""4.2: the agent is restarted, upgraded, BIRD is restarted, both together: no
packet between pods of different nodes is lost, of neither family. Without BFD,
and with BFD that is graceful on both ends; `bfd on` and restarts exclude each
other."""

import os
import shutil
import signal
import sys
import threading
import time

from lab import BUILD, Lab, Flow, count, first, version_of, wait


def restart_agent(lab):
    lab.lab("agent", "m1", "stop")
    lab.lab("agent", "m1", "start")


def upgrade_agent(lab):
    """To the other build, under the same name, by rename."""
    before = version_of(lab.programs / "linseyd")
    builds = {version_of(BUILD / "agent" / name): name
              for name in ("linseyd", "linseyd-next")}
    other = next(name for version, name in builds.items() if version != before)
    new = lab.programs / "linseyd.new"
    shutil.copy(BUILD / "agent" / other, new)
    new.rename(lab.programs / "linseyd")
    restart_agent(lab)


def restart_bird(lab):
    """As its container's supervisor is told to."""
    os.kill(lab.pid("m1/bird"), signal.SIGHUP)


def kill_bird(lab):
    """It falls: the supervisor starts it again."""
    os.kill(lab.child(lab.pid("m1/bird"), "bird"), signal.SIGKILL)


def both(lab):
    bird = threading.Thread(target=restart_bird, args=(lab,))
    bird.start()
    restart_agent(lab)
    bird.join()


def one_round(lab, targets, do):
    flows = [Flow(lab, "m1/p0", target) for target in targets]
    time.sleep(0.5)
    generation = lab.bird_pid("m1")
    do(lab)
    if do in (restart_bird, kill_bird, both):
        wait("another BIRD", lambda: lab.bird_pid("m1") not in (0, generation))
    wait("sessions", lambda: lab.settled("m1"), 90)
    time.sleep(1)
    return [flow.stop() for flow in flows]


def repeat(lab, name, do, targets):
    sent, lost = [0, 0], [0, 0]
    slowest = 1e9
    rounds = count("ROUNDS")
    for _ in range(rounds):
        for i, figures in enumerate(one_round(lab, targets, do)):
            sent[i] += figures[0]
            lost[i] += figures[1]
            slowest = min(slowest, figures[2])
    print(f"{name}, {rounds} times: {sent[0]} packets of IPv4 and {sent[1]} of "
          f"IPv6 each way at {slowest:.0f}/s or more each, {lost[0]} and "
          f"{lost[1]} lost", flush=True)
    return lost == [0, 0] and min(sent) > 0


def graceful_bfd(topology):
    for router in topology["dataCentre"]["routers"].values():
        router["options"] = router["options"].replace("bfd on", "bfd graceful")
        router["peer"]["bfd"]["mode"] = "graceful"


def main():
    good = True
    for title, topology, change in (
            ("without BFD", "rr-pair", None),
            ("BFD graceful on both ends", "rr-bfd", graceful_bfd)):
        print(f"{title}:", flush=True)
        with Lab(topology, change) as lab:
            lab.wait_settled()
            pod = lab.pods(1)["m2", "p0"]
            targets = [first(pod, 4), first(pod, 6)]
            for name, do in (("linseyd restarted", restart_agent),
                             ("linseyd upgraded", upgrade_agent),
                             ("BIRD restarted", restart_bird),
                             ("BIRD killed", kill_bird),
                             ("linseyd and BIRD restarted together", both)):
                good &= repeat(lab, name, do, targets)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
