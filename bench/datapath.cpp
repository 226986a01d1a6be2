// linsey-bench-datapath [ROUNDS]: what wiring and unwiring cost in process, in
// fresh namespaces, as a table. Needs root. docs/datapath.md quotes it.
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "datapath/wire.h"
#include "netlink/monitor.h"
#include "netlink/reaper.h"
#include "netlink/socket.h"

namespace linsey {
namespace {

using Clock = std::chrono::steady_clock;
using datapath::Plan;
using netlink::NetNs;

template <typename T>
T must(Result<T> result) {
  if (!result) panic(to_string(result.error()) + " " + result.error().details);
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

double microseconds(const std::function<void()>& fn) {
  const auto start = Clock::now();
  fn();
  return std::chrono::duration<double, std::micro>(Clock::now() - start)
      .count();
}

void print(const char* what, std::vector<double> times) {
  std::ranges::sort(times);
  const auto at = [&](double part) {
    return times[static_cast<std::size_t>(
        part * static_cast<double>(times.size() - 1))];
  };
  (void)std::printf("%-46s %8.0f %8.0f %8.0f\n", what, at(0), at(0.5), at(0.9));
}

Plan plan_of(unsigned number, bool v6, bool eni) {
  ipam::Attachment attachment;
  attachment.key = {"bench", fmt::format("c{}", number), "eth0"};
  attachment.pod = {"bench", fmt::format("p{}", number), ""};
  ipam::Allocation allocation;
  allocation.addresses = {IpAddr::v4(0x0a400000 + number)};
  if (v6) {
    allocation.addresses.push_back(
        *must(IpAddr::parse("fd00:64::")).plus(number));
  }
  if (eni) allocation.eni = ipam::EniPath{.eni_id = "e", .table = 1003};
  return must(datapath::make_plan(attachment, allocation));
}

void wire(const Plan& plan, const NetNs& pod) {
  Rollback undo;
  must(datapath::wire(plan, pod, undo));
  undo.commit();
}

ipam::Pod pod_of(unsigned number) {
  return {"bench", fmt::format("p{}", number), ""};
}

/// Namespaces that live to the end: their removal would hold the kernel's
/// lock in the background of the next round.
const NetNs& fresh_pod() {
  static std::deque<NetNs> pods;
  return pods.emplace_back(must(NetNs::create()));
}

void bench_add(const char* what, unsigned rounds, bool v6, bool eni) {
  std::vector<double> times;
  for (unsigned i = 1; i <= rounds; ++i) {
    const NetNs& pod = fresh_pod();
    const Plan plan = plan_of(i, v6, eni);
    times.push_back(microseconds([&] { wire(plan, pod); }));
    must(datapath::unwire(plan.key, pod_of(i)));
  }
  print(what, times);
}

void bench_del(unsigned rounds) {
  std::vector<double> down;
  std::vector<double> acknowledged;
  for (unsigned i = 1; i <= rounds; ++i) {
    const NetNs& pod = fresh_pod();
    const Plan plan = plan_of(i, true, true);
    wire(plan, pod);
    datapath::TakenDown taken;
    down.push_back(microseconds(
        [&] { taken = must(datapath::take_down(plan.key, pod_of(i))); }));
    auto socket = must(netlink::Socket::open());
    acknowledged.push_back(microseconds([&] {
      must(socket.run(netlink::Batch().delete_link(taken.link_index)));
    }));
  }
  print("DEL, first half: take_down (v4+v6, ENI)", down);
  print("DEL, second half: RTM_DELLINK acknowledged", acknowledged);
}

void bench_reaper(unsigned rounds, netlink::LinkReaper& reaper) {
  std::vector<double> gone;
  for (unsigned i = 1; i <= rounds; ++i) {
    const NetNs& pod = fresh_pod();
    const Plan plan = plan_of(i, true, true);
    wire(plan, pod);
    const int index = must(datapath::take_down(plan.key, pod_of(i))).link_index;
    gone.push_back(microseconds([&] {
      must(netlink::delete_link_until_gone(reaper, index,
                                           std::chrono::seconds(10)));
    }));
  }
  print("DEL, second half: until gone from view", gone);
}

/// `count` pods taken down together and deleted as a group: the time until the
/// last is gone from view, for each pod.
void bench_group(unsigned rounds, unsigned count, netlink::LinkReaper& reaper) {
  std::vector<double> times;
  for (unsigned round = 0; round < rounds; ++round) {
    for (unsigned i = 1; i <= count; ++i) {
      wire(plan_of(i, true, true), fresh_pod());
    }
    unsigned gone = 0;
    auto monitor = must(netlink::Monitor::open(
        {netlink::Topic::kLinks},
        [&](const netlink::Event& event) { gone += event.removed; }));
    times.push_back(
        microseconds([&] {
          for (unsigned i = 1; i <= count; ++i) {
            must(datapath::take_down(plan_of(i, true, true).key, pod_of(i)));
          }
          reaper.reap_group(netlink::kDyingGroup);
          while (gone < count) {
            pollfd watched{monitor.fd(), POLLIN, 0};
            (void)::poll(&watched, 1, 1000);
            must(monitor.drain());
          }
        }) /
        count);
  }
  print(fmt::format("DEL of {} together until gone, for each", count).c_str(),
        times);
}

void bench(unsigned rounds) {
  (void)std::printf("%-46s %8s %8s %8s\n", "us", "min", "p50", "p90");
  bench_add("ADD, v4", rounds, false, false);
  bench_add("ADD, v4 + v6", rounds, true, false);
  bench_add("ADD, v4 + v6, ENI", rounds, true, true);
  bench_del(rounds);
  auto reaper = must(netlink::LinkReaper::start());
  bench_reaper(rounds, reaper);
  bench_group(rounds / 10 + 1, 8, reaper);
  bench_group(rounds / 20 + 1, 50, reaper);
}

}  // namespace
}  // namespace linsey

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 60;
  const auto host = linsey::must(linsey::netlink::NetNs::create());
  linsey::must(host.run([&]() -> linsey::Result<void> {
    linsey::bench(static_cast<unsigned>(rounds));
    return {};
  }));
  return 0;
}
