#include "agent/forgetter.h"

#include <cstdlib>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/log.h"

namespace linsey::agent {
namespace {

constexpr unsigned kRepeats = 2;
constexpr Duration kAgain = std::chrono::seconds(1);

std::optional<Duration> seconds_in(const std::string& file) {
  const Result<std::string> text = read_file(file, 64);
  if (!text) return std::nullopt;
  return std::chrono::seconds(std::atol(text->c_str()));
}

}  // namespace

Forgetter::Forgetter(ForgetterDeps deps) : deps_(std::move(deps)) {
  Metrics& metrics = deps_.metrics;
  metrics.describe_counter("linsey_forgotten_connections_total",
                           "Conntrack entries deleted with their address.");
  metrics.describe_counter(
      "linsey_forget_failures_total",
      "Times conntrack entries of released addresses could not be deleted.");
  metrics.describe_gauge(
      "linsey_conntrack_usable",
      "0 when the kernel refuses to delete conntrack entries.");
  metrics.on_collect([this] {
    deps_.metrics.set("linsey_conntrack_usable", possible_ ? 1 : 0);
  });
}

Forgetter::~Forgetter() {
  deps_.loop.cancel(timer_);
}

void Forgetter::forget(const std::vector<IpAddr>& addresses) {
  waiting_.addresses.insert(addresses.begin(), addresses.end());
  if (waiting_.empty() || running_ || timer_ != 0) return;
  run_in(deps_.gather());
}

void Forgetter::forget_udp(std::uint16_t port) {
  waiting_.udp_ports.insert(port);
  if (!running_) run();
}

void Forgetter::run_in(Duration delay) {
  timer_ = deps_.loop.after(delay, "forget connections", [this] { run(); });
}

void Forgetter::run() {
  deps_.loop.cancel(std::exchange(timer_, 0));
  running_ = true;
  netlink::Stale stale = std::exchange(waiting_, {});
  deps_.worker.submit([stale, forget = deps_.forget] { return forget(stale); },
                      [this, stale](const Result<std::size_t>& forgotten) {
                        if (!forgotten) {
                          failed(stale, forgotten.error());
                          return;
                        }
                        failures_ = 0;
                        possible_ = true;
                        deps_.metrics.count(
                            "linsey_forgotten_connections_total", {},
                            static_cast<double>(*forgotten));
                        ended();
                      });
}

void Forgetter::ended() {
  running_ = false;
  if (waiting_.empty()) return;
  run_in(waiting_.udp_ports.empty() ? deps_.gather() : Duration::zero());
}

void Forgetter::failed(netlink::Stale stale, const Error& error) {
  deps_.metrics.count("linsey_forget_failures_total");
  const bool for_good = error.code == Code::kKernelFeatureMissing ||
                        error.code == Code::kPermission;
  if (!for_good && failures_ < kRepeats) {
    ++failures_;
    waiting_.addresses.merge(stale.addresses);
    waiting_.udp_ports.merge(stale.udp_ports);
    run_in(kAgain);  // what comes meanwhile waits as well
    return;
  }
  failures_ = 0;
  if (possible_) warn(error);
  possible_ = false;
  ended();
}

void Forgetter::warn(const Error& error) const {
  const std::optional<Duration> syn_sent = seconds_in(deps_.syn_sent_file);
  if (!syn_sent || deps_.cool_down() >= *syn_sent) return;
  const auto whole = [](Duration duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  };
  log::warn(
      "conntrack entries of released addresses cannot be deleted, and "
      "ipam.coolDown of {} s is shorter than the {} s that an unanswered "
      "connection lives: a new pod may meet an old one's flows; raise it, or "
      "load nf_conntrack_netlink: {}",
      whole(deps_.cool_down()), whole(*syn_sent), to_string(error));
}

}  // namespace linsey::agent
