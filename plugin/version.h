// The versions of the CNI specification that we speak, and which verb each one
// knows. Behaviour is that of the reference library: ADD and DEL want a listed
// version literally, the later verbs compare numbers first.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace linsey::plugin {

enum class Verb : std::uint8_t { kAdd, kDel, kCheck, kGc, kStatus };

/// "ADD" and so on; upper case exactly. VERSION is not among them, since it is
/// answered before anything is read.
std::optional<Verb> find_verb(std::string_view text);

enum class Version : std::uint8_t { k010, k020, k030, k031, k040, k100, k110 };

inline constexpr auto kVersionNames = std::to_array<std::string_view>(
    {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"});
inline constexpr Version kNewest = Version::k110;

constexpr std::string_view name(Version version) {
  return kVersionNames[static_cast<std::size_t>(version)];
}
std::optional<Version> find_version(std::string_view text);

/// The version in which `verb` is to be answered. Errors: kDecode for what is
/// no version, kIncompatibleVersion for one that is not ours or that does not
/// know the verb; the details name both sides.
Result<Version> accept_version(Verb verb, std::string_view text);

}  // namespace linsey::plugin
