#include "cloud/types.h"

#include <algorithm>
#include <array>
#include <utility>

namespace linsey::cloud {
namespace {

constexpr auto kStatusNames =
    std::to_array<std::pair<std::string_view, EniStatus>>({
        {"Unknown", EniStatus::kUnknown},
        {"Available", EniStatus::kAvailable},
        {"Attaching", EniStatus::kAttaching},
        {"InUse", EniStatus::kInUse},
        {"Detaching", EniStatus::kDetaching},
        {"Deleting", EniStatus::kDeleting},
    });

}  // namespace

std::string_view name(EniStatus status) {
  return kStatusNames.at(static_cast<std::size_t>(status)).first;
}

EniStatus parse_eni_status(std::string_view text) {
  const auto* const it = std::ranges::find(
      kStatusNames, text, &std::pair<std::string_view, EniStatus>::first);
  return it == kStatusNames.end() ? EniStatus::kUnknown : it->second;
}

}  // namespace linsey::cloud
