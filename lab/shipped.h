// What linsey-lab carries in itself, so that one file is enough to run it: the
// shipped topology and the shipped conflist, taken from the tree by the build.
#pragma once

#include <string_view>

namespace linsey::lab {

std::string_view shipped_topology();
std::string_view shipped_conflist();

}  // namespace linsey::lab
