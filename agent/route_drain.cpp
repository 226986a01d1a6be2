#include "agent/route_drain.h"

#include <charconv>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

namespace linsey::agent {

Result<DrainWish> parse_drain_wish(std::string_view text) {
  const Json json = TRY(parse_json(text));
  ObjectReader reader(&json, "", Code::kDecode);
  DrainWish wish;
  std::int64_t timeout = -1;
  reader.get("cancel", wish.cancel);
  reader.get_int("timeoutMs", timeout, 0, 86400000);
  TRY(reader.finish());
  if (timeout >= 0) wish.timeout = std::chrono::milliseconds(timeout);
  return wish;
}

std::uint64_t pod_packets(std::string_view net_dev) {
  // "caliab12: BYTES PACKETS errs drop fifo frame compressed multicast BYTES
  // PACKETS …"; the links of pods are named by datapath/plan.
  constexpr int kReceived = 1;
  constexpr int kSent = 9;
  std::istringstream lines{std::string(net_dev)};
  std::string line;
  std::uint64_t sum = 0;
  while (std::getline(lines, line)) {
    const std::size_t colon = line.find(':');
    const std::size_t name = line.find_first_not_of(' ');
    if (colon == std::string::npos || name >= colon) continue;
    if (!line.substr(name).starts_with("cali") &&
        !line.substr(name).starts_with("lin")) {
      continue;
    }
    std::istringstream numbers(line.substr(colon + 1));
    std::uint64_t number = 0;
    for (int i = 0; numbers >> number; ++i) {
      if (i == kReceived || i == kSent) sum += number;
    }
  }
  return sum;
}

void RouteDrain::load(Instant now, const conf::Drain& settings) {
  const Result<std::string> text = read_file(file_);
  if (!text) return;
  deadline_ = now + settings.timeout;
  quiet_ = settings.quiet;
  last_packet_ = now;
  cordoned_ = text->find("cordoned") != std::string::npos;
  by_cordon_ = text->find("by-cordon") != std::string::npos;
  if (text->starts_with("off")) return;
  state_ = text->starts_with("withdrawn") ? State::kWithdrawn : State::kLowered;
  why_ = "it was so before the agent started";
}

Result<void> RouteDrain::begin(Instant now, const conf::Drain& settings) {
  if (active()) {
    deadline_ = std::min(deadline_, now + settings.timeout);
    return {};
  }
  state_ = State::kLowered;
  Result<void> saved = save();
  if (!saved) {
    state_ = State::kOff;
    return saved;
  }
  deadline_ = now + settings.timeout;
  quiet_ = settings.quiet;
  last_packet_ = now;
  packets_.reset();
  why_.clear();
  return {};
}

Result<void> RouteDrain::cancel() {
  const State before = std::exchange(state_, State::kOff);
  const Result<void> saved = save();
  if (!saved) {
    state_ = before;
    return saved;
  }
  by_cordon_ = false;
  return {};
}

Result<bool> RouteDrain::follow_cordon(Instant now, const conf::Drain& settings,
                                       bool cordoned) {
  if (cordoned == cordoned_) return false;
  const bool before = std::exchange(cordoned_, cordoned);
  const bool begins = cordoned && !active();
  const bool ends = !cordoned && by_cordon();
  if (begins) by_cordon_ = true;
  const Result<void> done = begins ? begin(now, settings)
                            : ends ? cancel()
                                   : save();
  if (!done) {
    cordoned_ = before;
    if (begins) by_cordon_ = false;
    return done.error();
  }
  return begins || ends;
}

bool RouteDrain::step(Instant now, std::uint64_t packets) {
  if (state_ != State::kLowered) return false;
  if (packets_ != packets) last_packet_ = now;
  packets_ = packets;
  const bool quiet = now - last_packet_ >= quiet_;
  if (!quiet && now < deadline_) return false;
  why_ = quiet ? "traffic is gone" : "the time is over";
  state_ = State::kWithdrawn;
  const Result<void> saved = save();
  if (!saved) log::error("{}", to_string(saved.error()));
  return true;
}

std::string_view RouteDrain::word() const {
  if (state_ == State::kOff) return "off";
  return state_ == State::kLowered ? "lowered" : "withdrawn";
}

Result<void> RouteDrain::save() const {
  if (!active() && !cordoned_) return remove_file(file_);
  const std::string text =
      fmt::format("{}{}{}\n", word(), cordoned_ ? " cordoned" : "",
                  by_cordon() ? " by-cordon" : "");
  return write_file_atomic(file_, text, {.mode = 0600, .sync = false});
}

}  // namespace linsey::agent
