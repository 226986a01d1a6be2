// A tar archive (ustar) of small texts, as every tar reads it. Pure: bytes out,
// no time, no owner of the machine, so equal content gives equal bytes.
#pragma once

#include <map>
#include <string>

namespace linsey::ctl {

/// Names have at most 99 characters; longer ones are cut.
std::string tar_of(const std::map<std::string, std::string>& files);

}  // namespace linsey::ctl
