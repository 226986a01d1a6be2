// Params: an RPC call's flat parameters ("Tag.1.Key") as typed values. Keeps
// the first fault, so that an action reads everything and asks once; a name
// nobody read is refused in finish(), which finds a client's misspelling that
// the real API would let pass without a word.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "lab/sim/types.h"

namespace linsey::sim {

class Params {
 public:
  /// `missing_status`: 400, or 403 for the actions that print it so. `values`
  /// must outlive it.
  explicit Params(const std::map<std::string, std::string>& values,
                  int missing_status = 400)
      : values_(values), missing_status_(missing_status) {}

  std::string text(const std::string& name);
  std::string required(const std::string& name);
  /// Whole number within [low, high]; `fallback` when absent.
  std::int64_t number(const std::string& name, std::int64_t fallback,
                      std::int64_t low, std::int64_t high);
  bool flag(const std::string& name, bool fallback);
  /// NAME.1 ... without a gap.
  std::vector<std::string> list(const std::string& name, std::size_t limit);
  std::vector<IpAddr> addresses(const std::string& name, Family family,
                                std::size_t limit);
  std::optional<IpAddr> address(const std::string& name, Family family);
  /// Tag.1.Key, Tag.1.Value ... with the rules for keys and values.
  std::map<std::string, std::string> tags();
  bool has(const std::string& name) const;

  void fail(Fault fault);
  const Fault& fault() const { return fault_; }
  /// The first fault; else an unknown parameter's.
  Fault finish();

 private:
  const std::string* find(const std::string& name);

  const std::map<std::string, std::string>& values_;
  const int missing_status_;
  std::set<std::string> known_;
  Fault fault_;
};

Fault missing_parameter(const std::string& name, int status = 400);
Fault invalid_parameter(const std::string& name, std::string_view why);

}  // namespace linsey::sim
