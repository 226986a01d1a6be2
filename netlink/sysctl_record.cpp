#include "netlink/sysctl_record.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "netlink/netns.h"

namespace linsey::netlink {

SysctlRecord SysctlRecord::load(std::string path) {
  SysctlRecord record(std::move(path), boot_id().value_or(""));
  const Result<std::string> text = read_file(record.path_);
  const Result<Json> json =
      text ? parse_json(*text) : Result<Json>(text.error());
  if (!json) return record;
  std::string boot;
  std::map<std::string, std::string> values;
  ObjectReader reader(&*json, "");
  reader.get("bootID", boot);
  reader.get("values", values);
  if (reader.finish() && boot == record.boot_) {
    record.values_ = std::move(values);
  }
  return record;
}

Result<void> SysctlRecord::note(const std::vector<std::string>& keys) {
  std::map<std::string, std::string> next = values_;
  for (const std::string& key : keys) {
    if (next.contains(key)) continue;
    const Result<std::string> value = get_sysctl(key);
    if (value) next.emplace(key, *value);
  }
  if (next == values_) return {};
  TRY(write_file_atomic(
      path_, dump_json({{"bootID", boot_}, {"values", next}}, 2) + "\n",
      {.mode = 0600}));
  values_ = std::move(next);
  return {};
}

}  // namespace linsey::netlink
