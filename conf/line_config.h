// `line`: the guard of the leased line between data centre and cloud. What
// crosses it has its far end in cidrs.dataCentre; nothing else is touched.
//
// A node's budget is one for each direction, over all of its NICs. Inside it
// four classes have shares, which they get when all want more, and ceilings,
// up to which they may borrow what others leave. Exemptions name one end of a
// flow exactly (address, port, protocol): control traffic is never held up.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "conf/selector.h"

namespace linsey {
class ObjectReader;
}

namespace linsey::conf {

/// In the order in which they come in trees, tables and metrics. `node` is all
/// that is no pod's: image pulls, mounts, hostNetwork.
enum class LineClass : std::uint8_t {
  kGuaranteed,
  kBurstable,
  kBestEffort,
  kNode
};
inline constexpr std::array<LineClass, 4> kLineClasses{
    LineClass::kGuaranteed, LineClass::kBurstable, LineClass::kBestEffort,
    LineClass::kNode};
std::string_view name(LineClass cls);  // "guaranteed", "best-effort", ...

/// In per cent of the node's budget.
struct LineShare {
  unsigned share = 0;      // what it gets when all want more; sums to 100
  unsigned ceiling = 100;  // what it may borrow up to
};

/// A flow whose one end (either one) has this address, port and protocol.
struct LineExemption {
  std::string name;
  Cidr cidr;
  std::uint16_t port = 0;
  std::string protocol = "tcp";  // tcp | udp
};

struct Line {
  std::string mode = "off";  // off | count (limits nothing) | on
  Selector node_selector;    // empty selects every node
  std::uint64_t down = 0;    // bit/s, towards this node
  std::uint64_t up = 0;      // bit/s
  std::vector<std::string> links = {"eth*", "en*", "bond*"};  // the NICs
  std::uint16_t preference = 50000;  // of our filters, the first of eight
  std::array<LineShare, 4> classes = {
      {{40, 100}, {30, 100}, {20, 100}, {10, 100}}};
  LineClass default_class = LineClass::kBurstable;
  std::map<std::string, LineClass> namespaces;  // class of a namespace's pods
  std::vector<LineExemption> exemptions;

  const LineShare& of(LineClass cls) const {
    return classes.at(static_cast<std::size_t>(cls));
  }
};

void read_line(ObjectReader& reader, Line& line);
/// Errors: kInvalidConfig.
Result<void> check_line(const Line& line, const std::vector<Cidr>& far);

}  // namespace linsey::conf
