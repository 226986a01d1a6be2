#include "lab/sim/instance_types.h"

namespace linsey::sim {

// Name, ENIs, IPv4 and IPv6 addresses for each ENI, ENIs with trunk members.
std::vector<InstanceTypeSpec> known_instance_types() {
  return {
      {"ecs.g7.large", 3, 6, 6, 0},
      {"ecs.g7.xlarge", 4, 15, 15, 20},
      {"ecs.g7.2xlarge", 4, 15, 15, 0},
      {"ecs.g7.3xlarge", 8, 15, 15, 0},
      {"ecs.g7.4xlarge", 8, 30, 30, 0},
      {"ecs.g8i.large", 3, 6, 6, 0},
      {"ecs.g8i.xlarge", 4, 15, 15, 0},
      {"ecs.g8i.4xlarge", 8, 30, 30, 0},
      {"ecs.g8i.48xlarge", 15, 50, 50, 0},
      {"ecs.g7a.large", 3, 6, 6, 0},
      {"ecs.g6.large", 2, 6, 1, 2},
      {"ecs.g6.xlarge", 3, 10, 1, 0},
      {"ecs.g6.2xlarge", 4, 10, 1, 0},
      {"ecs.g6.16xlarge", 8, 20, 1, 60},
      {"ecs.t6-c1m2.large", 2, 2, 0, 0},
      {"ecs.u1-c1m4.xlarge", 3, 10, 1, 6},
      {"ecs.ebmre7p.32xlarge", 32, 15, 1, 110},
      {"ecs.gn6v-c8g1.2xlarge", 4, 10, 1, 0},
      {"ecs.gn6v-c8g1.4xlarge", 8, 20, 1, 0},
      {"ecs.gn6v-c8g1.16xlarge", 8, 20, 1, 0},
      {"ecs.gn6i-c4g1.xlarge", 2, 10, 1, 0},
      {"ecs.gn6e-c12g1.3xlarge", 6, 10, 1, 0},
      {"ecs.gn7i-c8g1.2xlarge", 4, 15, 15, 0},
      {"ecs.gn7i-c16g1.4xlarge", 8, 30, 30, 0},
      {"ecs.gn7i-c32g1.32xlarge", 15, 30, 30, 0},
      {"ecs.gn7-c12g1.3xlarge", 8, 10, 1, 0},
      {"ecs.gn7-c13g1.13xlarge", 8, 30, 30, 0},
      {"ecs.gn7e-c16g1.4xlarge", 8, 10, 1, 0},
      {"ecs.gn7e-c16g1.32xlarge", 16, 15, 1, 0},
      {"ecs.gn8v.4xlarge", 8, 30, 30, 0},
      {"ecs.gn8v-8x.48xlarge", 15, 50, 50, 0},
      {"ecs.gn8is.2xlarge", 4, 15, 15, 0},
  };
}

}  // namespace linsey::sim
