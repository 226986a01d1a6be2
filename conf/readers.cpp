#include "conf/readers.h"

#include <algorithm>

#include "conf/selector.h"

namespace linsey::conf {

void get_choice(ObjectReader& reader, std::string_view key, std::string& target,
                std::initializer_list<std::string_view> choices) {
  reader.get(key, target);
  if (reader.failed() || std::ranges::count(choices, target) > 0) return;
  std::string list;
  for (const std::string_view choice : choices) {
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", choice);
  }
  reader.fail(key, fmt::format("\"{}\" is none of {}", target, list));
}

void get_optional(ObjectReader& reader, std::string_view key,
                  std::optional<IpAddr>& target) {
  std::string text;
  reader.get(key, text);
  if (reader.failed() || text.empty()) return;
  const Result<IpAddr> ip = IpAddr::parse(text);
  if (!ip) return reader.fail(key, ip.error().msg);
  target = *ip;
}

void get_path(ObjectReader& reader, std::string_view key, std::string& target,
              bool may_be_empty) {
  reader.get(key, target);
  if (reader.failed() || target.starts_with('/')) return;
  if (target.empty() && may_be_empty) return;
  reader.fail(
      key, fmt::format("\"{}\" is no absolute path; begin it with /", target));
}

void get_name(ObjectReader& reader, std::string_view key, std::string& target) {
  reader.require(key);
  reader.get(key, target);
  if (reader.failed()) return;
  const Result<void> sound = check_label_value(target);
  if (target.empty()) {
    reader.fail(key, "is empty; give it a name");
  } else if (!sound) {
    reader.fail(key, sound.error().msg);
  }
}

}  // namespace linsey::conf
