#include "plugin/version.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace linsey::plugin {
namespace {

constexpr auto kVerbs = std::to_array<std::pair<std::string_view, Verb>>({
    {"ADD", Verb::kAdd},
    {"DEL", Verb::kDel},
    {"CHECK", Verb::kCheck},
    {"GC", Verb::kGc},
    {"STATUS", Verb::kStatus},
});

using Numbers = std::array<unsigned, 3>;

/// "1", "1.1" and "1.1.0" are versions here, as they are to the library.
std::optional<Numbers> parse_numbers(std::string_view text) {
  Numbers numbers{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (unsigned& number : numbers) {
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return std::nullopt;
    if (stop == end) return numbers;
    if (*stop != '.') return std::nullopt;
    at = stop + 1;
  }
  return std::nullopt;
}

Version first_with(Verb verb) {
  switch (verb) {
    case Verb::kCheck:
      return Version::k040;
    case Verb::kGc:
    case Verb::kStatus:
      return Version::k110;
    default:
      return Version::k010;
  }
}

std::string supported() {
  std::string list;
  for (const std::string_view version : kVersionNames) {
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", version);
  }
  return list;
}

Error incompatible(std::string_view text, std::string_view why) {
  return {
      Code::kIncompatibleVersion,
      fmt::format("cniVersion \"{}\" {}", text, why),
      fmt::format("config is \"{}\", plugin supports [{}]", text, supported())};
}

}  // namespace

std::optional<Verb> find_verb(std::string_view text) {
  const auto* const it = std::ranges::find(
      kVerbs, text, &std::pair<std::string_view, Verb>::first);
  if (it == kVerbs.end()) return std::nullopt;
  return it->second;
}

std::optional<Version> find_version(std::string_view text) {
  const auto* const it = std::ranges::find(kVersionNames, text);
  if (it == kVersionNames.end()) return std::nullopt;
  return static_cast<Version>(it - kVersionNames.begin());
}

Result<Version> accept_version(Verb verb, std::string_view text) {
  if (verb != Verb::kAdd && verb != Verb::kDel) {
    const std::optional<Numbers> numbers = parse_numbers(text);
    if (!numbers) {
      return make_error(Code::kDecode,
                        "cniVersion \"{}\" is no version; write for example "
                        "\"{}\"",
                        text, name(kNewest));
    }
    if (*numbers < *parse_numbers(name(first_with(verb)))) {
      return incompatible(text, "does not have this verb");
    }
    if (*numbers > *parse_numbers(name(kNewest))) {
      return incompatible(text, "is newer than this plugin");
    }
  }
  const std::optional<Version> version = find_version(text);
  if (!version) return incompatible(text, "is not spoken by this plugin");
  return *version;
}

}  // namespace linsey::plugin
