#include "conf/agent_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linsey::conf {
namespace {

using ::testing::HasSubstr;

TEST(AgentConfig, HasADefaultForEverything) {
  const Result<AgentConfig> config = parse_agent_config("{}");

  ASSERT_TRUE(config) << config.error().msg;
  EXPECT_EQ(config->socket, "/run/linsey/agent.sock");
  EXPECT_TRUE(config->modes.empty());
}

}  // namespace
}  // namespace linsey::conf
