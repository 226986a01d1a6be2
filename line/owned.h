// What we put on NICs, as text in the alias of linsey-down. For this room only.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace linsey::line {

struct Owned {
  std::set<int> nics;  // have filters of ours
  std::set<int> made;  // of these, the clsact is ours too

  bool operator==(const Owned&) const = default;
};

/// "guard of the leased line: nics=2,3 made=3"
std::string to_text(const Owned& owned);
/// Nothing where the text is none of ours.
Owned parse_owned(std::string_view text);

}  // namespace linsey::line
