#include "lab/process_rights.h"

namespace linsey::lab {

std::vector<std::string> agent_rights() {
  return {"net_admin"};
}

std::vector<std::string> bird_rights() {
  return {"net_admin", "net_bind_service", "net_raw"};
}

std::vector<std::string> with_rights(const std::vector<std::string>& rights,
                                     const std::vector<std::string>& argv) {
  std::string bounding = "-all";
  for (const std::string& right : rights) {
    bounding += ",+" + right;
  }
  std::vector<std::string> out{"setpriv",    "--bounding-set", bounding,
                               "--inh-caps", "-all",           "--no-new-privs",
                               "--"};
  out.insert(out.end(), argv.begin(), argv.end());
  return out;
}

}  // namespace linsey::lab
