// Takes secrets out of what leaves the node in a bundle. Pure.
//
// Two nets, since one alone has holes: known secrets (the content of password
// and key files) are replaced wherever they stand, and what looks like one by
// its name (a JSON member, BIRD's `password "…"`) is, whatever its value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace linsey::ctl {

inline constexpr std::string_view kRemoved = "[removed]";

std::string redact(std::string text, const std::vector<std::string>& secrets);

/// The values in a secret file: itself without the end of the line, and if it
/// is JSON every string in it of at least 6 characters.
std::vector<std::string> secrets_in(std::string_view content);

}  // namespace linsey::ctl
