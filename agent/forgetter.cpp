#include "agent/forgetter.h"

#include <utility>

#include "base/log.h"

namespace linsey::agent {

Forgetter::Forgetter(Worker& worker, Metrics& metrics)
    : worker_(worker), metrics_(metrics) {
  metrics_.describe_counter("linsey_forgotten_connections_total",
                            "Conntrack entries deleted with their address.");
  metrics_.describe_gauge(
      "linsey_conntrack_usable",
      "0 when the kernel refuses to delete conntrack entries.");
  metrics_.on_collect(
      [this] { metrics_.set("linsey_conntrack_usable", possible_ ? 1 : 0); });
}

void Forgetter::forget(const std::vector<IpAddr>& addresses) {
  waiting_.addresses.insert(addresses.begin(), addresses.end());
  run();
}

void Forgetter::forget_udp(std::uint16_t port) {
  waiting_.udp_ports.insert(port);
  run();
}

void Forgetter::run() {
  if (running_ || waiting_.empty()) return;
  running_ = true;
  worker_.submit(
      [stale = std::exchange(waiting_, {})] {
        return netlink::forget_connections(stale);
      },
      [this](const Result<std::size_t>& forgotten) {
        running_ = false;
        if (forgotten) {
          metrics_.count("linsey_forgotten_connections_total", {},
                         static_cast<double>(*forgotten));
        } else if (possible_) {
          log::warn(
              "conntrack entries of released addresses cannot be "
              "deleted, the cool-down must outlive them: {}",
              to_string(forgotten.error()));
        }
        possible_ = forgotten.has_value();
        run();
      });
}

}  // namespace linsey::agent
