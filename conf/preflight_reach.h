// The part of preflight that asks whether packets get there and back: route
// entries of the VPC, routes of the data centre, security groups. For this
// room only.
#pragma once

#include <utility>
#include <vector>

#include "conf/preflight.h"

namespace linsey::conf {

/// make_error, and the code's remedy behind it.
template <typename... Args>
Error with_remedy(Code code, fmt::format_string<Args...> format,
                  Args&&... args) {
  Error made = make_error(code, format, std::forward<Args>(args)...);
  made.msg += fmt::format("; {}", info(code).remedy);
  return made;
}

std::vector<Check> examine_reach(const Plan& plan);

}  // namespace linsey::conf
