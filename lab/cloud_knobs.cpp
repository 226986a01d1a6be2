#include "lab/cloud_knobs.h"

#include <charconv>
#include <map>

#include "base/json.h"

namespace linsey::lab {
namespace {

Result<void> set(Duration& knob, const std::string& value) {
  knob = TRY(parse_duration(value));
  return {};
}

Result<void> set(unsigned& knob, const std::string& value) {
  const char* end = value.data() + value.size();
  const auto [stopped, failed] = std::from_chars(value.data(), end, knob);
  if (failed == std::errc() && stopped == end) return {};
  return make_error(Code::kInvalidConfig, "\"{}\" is no count", value);
}

Result<void> set(bool& knob, const std::string& value) {
  if (value != "true" && value != "false") {
    return make_error(Code::kInvalidConfig, "\"{}\" is not true or false",
                      value);
  }
  knob = value == "true";
  return {};
}

Error unknown(const std::string& key) {
  return make_error(Code::kUnsupportedField,
                    "no knob \"{}\"; there are attach, detach, delete, "
                    "eni-lag, address-lag, stick-attaches, stick-detaches, "
                    "stick-deletes, fail-attaches, hardened, metadata-off, "
                    "detach-by-hand, "
                    "full.VSWITCH, line, and ACTION.latency, "
                    "ACTION.per-minute, ACTION.lose-replies, "
                    "ACTION.lose-requests, ACTION.denied, ACTION.refuse",
                    key);
}

Result<void> turn_action(sim::ActionKnobs& knobs, const std::string& key,
                         const std::string& value) {
  if (key == "latency") return set(knobs.reply_latency, value);
  if (key == "per-minute") return set(knobs.per_minute, value);
  if (key == "lose-replies") return set(knobs.lose_replies, value);
  if (key == "lose-requests") return set(knobs.lose_requests, value);
  if (key == "denied") return set(knobs.denied, value);
  if (key == "refuse") {
    knobs.refuse.push_back({403, value, "Refused by the lab."});
    return {};
  }
  return unknown(key);
}

Result<void> turn_dotted(sim::Knobs& knobs, const std::string& key,
                         const std::string& value) {
  const auto dot = key.rfind('.');
  const std::string first = key.substr(0, dot);
  const std::string second = key.substr(dot + 1);
  if (first != "full") return turn_action(knobs.actions[first], second, value);
  if (value == "none") {
    knobs.exhausted.erase(second);
  } else {
    knobs.exhausted[second] = value;
  }
  return {};
}

}  // namespace

Result<void> turn_knob(sim::Knobs& knobs, const std::string& key,
                       const std::string& value) {
  const std::map<std::string, Duration*> durations{
      {"attach", &knobs.attach_time},
      {"detach", &knobs.detach_time},
      {"delete", &knobs.delete_time},
      {"eni-lag", &knobs.eni_lag},
      {"address-lag", &knobs.address_lag}};
  const std::map<std::string, unsigned*> counts{
      {"stick-attaches", &knobs.stick_attaches},
      {"stick-detaches", &knobs.stick_detaches},
      {"stick-deletes", &knobs.stick_deletes},
      {"fail-attaches", &knobs.fail_attaches}};
  const std::map<std::string, bool*> switches{
      {"hardened", &knobs.hardened}, {"metadata-off", &knobs.metadata_off}};
  if (const auto it = durations.find(key); it != durations.end()) {
    return context(set(*it->second, value), "{}", key);
  }
  if (const auto it = counts.find(key); it != counts.end()) {
    return context(set(*it->second, value), "{}", key);
  }
  if (const auto it = switches.find(key); it != switches.end()) {
    return context(set(*it->second, value), "{}", key);
  }
  if (key.find('.') == std::string::npos) return unknown(key);
  return context(turn_dotted(knobs, key, value), "{}", key);
}

}  // namespace linsey::lab
