// linseyctl: see ctl/cli.h.
#include <string>
#include <vector>

#include "base/file.h"
#include "ctl/cli.h"

int main(int argc, char** argv) {
  const linsey::ctl::Outcome outcome =
      linsey::ctl::run(std::vector<std::string>(argv + 1, argv + argc));
  const bool told = linsey::write_all(1, outcome.out).has_value() &&
                    linsey::write_all(2, outcome.err).has_value();
  return told ? outcome.exit_code : 2;
}
