#include "conf/line_config.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "conf/readers.h"

namespace linsey::conf {
namespace {

// 1 kbit/s to 10 Tbit/s; below, a single packet would take seconds.
constexpr std::int64_t kMaxRate = 10'000'000'000'000;
constexpr std::uint64_t kMinRate = 1'000'000;

Result<LineClass> parse_pod_class(std::string_view text) {
  for (const LineClass cls : kLineClasses) {
    if (cls != LineClass::kNode && name(cls) == text) return cls;
  }
  return make_error(Code::kInvalidConfig,
                    "\"{}\" is none of \"guaranteed\", \"burstable\", "
                    "\"best-effort\"",
                    text);
}

void read_classes(ObjectReader& reader, Line& line) {
  for (const LineClass cls : kLineClasses) {
    LineShare& share = line.classes.at(static_cast<std::size_t>(cls));
    reader.object(name(cls), [&](ObjectReader& item) {
      item.get_int("share", share.share, 1, 97);
      item.get_int("ceiling", share.ceiling, 1, 100);
      if (!item.failed() && share.ceiling < share.share) {
        item.fail("ceiling", fmt::format("{} is below the share of {}; give "
                                         "the share or more",
                                         share.ceiling, share.share));
      }
    });
  }
}

void read_exemption(ObjectReader& reader, LineExemption& exemption) {
  get_name(reader, "name", exemption.name);
  reader.require("cidr");
  reader.get_parsed("cidr", exemption.cidr, Cidr::parse_network);
  reader.require("port");
  reader.get_int("port", exemption.port, 1, 65535);
  get_choice(reader, "protocol", exemption.protocol, {"tcp", "udp"});
}

Error bad(std::string_view pointer, const std::string& what) {
  return make_error(Code::kInvalidConfig, "/line/{}: {}", pointer, what);
}

}  // namespace

std::string_view name(LineClass cls) {
  switch (cls) {
    case LineClass::kGuaranteed:
      return "guaranteed";
    case LineClass::kBurstable:
      return "burstable";
    case LineClass::kBestEffort:
      return "best-effort";
    case LineClass::kNode:
      break;
  }
  return "node";
}

void read_line(ObjectReader& reader, Line& line) {
  get_choice(reader, "mode", line.mode, {"off", "count", "on"});
  reader.get_parsed("nodeSelector", line.node_selector, Selector::parse);
  reader.get_int("down", line.down, 0, kMaxRate);
  reader.get_int("up", line.up, 0, kMaxRate);
  reader.get("links", line.links);
  // Eight preferences in a row are used.
  reader.get_int("preference", line.preference, 1, 65528);
  reader.object("classes",
                [&](ObjectReader& item) { read_classes(item, line); });
  reader.get_parsed("defaultClass", line.default_class, parse_pod_class);
  const Json* spaces = reader.raw("namespaces");
  reader.object("namespaces", [&](ObjectReader& item) {
    for (const auto& [space, ignored] : spaces->items()) {
      item.get_parsed(space, line.namespaces[space], parse_pod_class);
    }
  });
  reader.each("exemptions", [&](ObjectReader& item) {
    read_exemption(item, line.exemptions.emplace_back());
  });
}

Result<void> check_line(const Line& line, const std::vector<Cidr>& far) {
  unsigned sum = 0;
  for (const LineShare& share : line.classes) {
    sum += share.share;
  }
  if (sum != 100) {
    return bad("classes",
               fmt::format("the shares sum to {}; let them sum to 100", sum));
  }
  if (line.mode == "off") return {};
  if (far.empty()) {
    return bad("mode",
               fmt::format("is \"{}\" while /cidrs/dataCentre is empty; say "
                           "there what lies beyond the line",
                           line.mode));
  }
  if (line.links.empty()) {
    return bad("links", "is empty; name the NICs, as \"eth*\"");
  }
  for (const auto& [key, rate] :
       {std::pair("down", line.down), std::pair("up", line.up)}) {
    if (line.mode == "on" && rate < kMinRate) {
      return bad(key, fmt::format("{} bit/s is no budget; give {} or more",
                                  rate, kMinRate));
    }
  }
  return {};
}

}  // namespace linsey::conf
