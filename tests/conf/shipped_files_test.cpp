// The files under conf/ are what people start from: they must be readable, hold
// every key with the default of the code, and be described key by key.
#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <string>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "conf/agent_config.h"
#include "conf/netconf.h"
#include "tests/support/golden.h"

namespace linsey::conf {
namespace {

using ::testing::IsSubsetOf;

std::string source_file(const std::string& name) {
  const Result<std::string> text = read_file(tests::source_dir() + "/" + name);
  EXPECT_TRUE(text) << text.error().msg;
  return text.value_or("");
}

/// "bgp.peers[].name" for every key of a document; members of `open` objects
/// are named by people, so they stand under a word in capitals.
void collect(const Json& json, const std::string& at,
             std::set<std::string>& keys) {
  static const std::map<std::string, std::string> kOpen = {
      {"eni.zones", "ZONE"}, {"blocks.assignments", ""}, {"eni.tags", ""}};
  for (const auto& [key, value] : json.items()) {
    const auto open = kOpen.find(at);
    const bool named = open == kOpen.end();
    if (!named && open->second.empty()) return;
    const std::string& name = named ? key : open->second;
    const std::string path = at.empty() ? name : fmt::format("{}.{}", at, name);
    if (value.is_object()) collect(value, path, keys);
    if (!value.is_object() || value.empty() || kOpen.contains(path)) {
      keys.insert(path);
    }
    if (!value.is_array() || value.empty() || !value[0].is_object()) continue;
    collect(value[0], path + "[]", keys);
  }
}

std::set<std::string> keys_of(const std::string& file) {
  std::set<std::string> keys;
  const Result<Json> json = parse_json(source_file(file));
  EXPECT_TRUE(json) << file;
  if (json) collect(*json, "", keys);
  return keys;
}

std::set<std::string> all_matches(const std::string& text,
                                  const std::regex& pattern) {
  std::set<std::string> found;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern);
       it != std::sregex_iterator(); ++it) {
    found.insert((*it)[1]);
  }
  return found;
}

/// The first column of the tables between two headings.
std::set<std::string> documented(const std::string& from,
                                 const std::string& to) {
  const std::string text = source_file("docs/configuration.md");
  const std::size_t begin = text.find("\n" + from + "\n");
  const std::size_t end = text.find("\n" + to + "\n");
  EXPECT_NE(begin, std::string::npos);
  EXPECT_NE(end, std::string::npos);
  return all_matches(text.substr(begin, end - begin),
                     std::regex(R"(\n\| `([^`]+)`)"));
}

TEST(AgentJson, IsReadByTheAgent) {
  const Result<AgentConfig> config =
      parse_agent_config(source_file("conf/agent.json"));

  ASSERT_TRUE(config) << config.error().msg;
}

TEST(AgentJson, ShowsEveryKeyThatIsNotInAList) {
  std::set<std::string> flat;
  for (const std::string& key :
       documented("## agent.json", "## The conflist entry")) {
    if (key.find("[]") == std::string::npos &&
        key.find("ZONE") == std::string::npos) {
      flat.insert(key);
    }
  }

  EXPECT_EQ(keys_of("conf/agent.json"), flat);
}

TEST(FullExample, IsReadByTheAgent) {
  const Result<AgentConfig> config =
      parse_agent_config(source_file("tests/conf/full.json"));

  ASSERT_TRUE(config) << config.error().msg;
}

TEST(ConfigurationPage, HasARowForEveryKeyOfTheFullExample) {
  const std::set<std::string> keys = keys_of("tests/conf/full.json");

  EXPECT_EQ(documented("## agent.json", "## The conflist entry"), keys);
}

TEST(ConfigurationPage, HasARowForEveryKeyTheCodeReads) {
  std::set<std::string> words;
  for (const std::string& key :
       documented("## agent.json", "## The conflist entry")) {
    words.merge(all_matches(key, std::regex(R"((\w+))")));
  }

  const std::set<std::string> read = all_matches(
      source_file("conf/agent_config.cpp") + source_file("conf/bgp_config.cpp"),
      std::regex(R"re((?:get\w*|object|each\w*)\((?:\w+, )?"(\w+)")re"));

  EXPECT_GT(read.size(), 60U);
  EXPECT_THAT(read, IsSubsetOf(words));
}

TEST(ConfigurationPage, StatesTheDefaultsOfAgentJson) {
  const std::string page = source_file("docs/configuration.md");
  const Json json = *parse_json(source_file("conf/agent.json"));
  for (const std::string& key : keys_of("conf/agent.json")) {
    std::string pointer = "/" + key;
    std::ranges::replace(pointer, '.', '/');
    const std::string value = json.at(Json::json_pointer(pointer)).dump();

    EXPECT_NE(page.find(fmt::format("| `{}` | `{}` |", key, value)),
              std::string::npos)
        << key << " is documented with another default than " << value;
  }
}

TEST(ConfigurationPage, HasARowForEveryKeyOfTheConflistEntry) {
  const std::set<std::string> rows =
      documented("## The conflist entry", "## Selectors");

  const std::string code = source_file("conf/netconf.cpp");
  for (const std::string& key : rows) {
    EXPECT_NE(code.find("\"" + key + "\""), std::string::npos) << key;
  }
  EXPECT_EQ(rows, (std::set<std::string>{"agentSocket", "agentWait", "logFile",
                                         "logLevel", "mtu", "notesDir"}));
}

TEST(Conflist, OffersThreeVersionsAndNothingButOurPlugin) {
  const Json list = *parse_json(source_file("conf/10-linsey.conflist"));

  EXPECT_EQ(list["cniVersion"], "1.0.0");
  EXPECT_EQ(list["cniVersions"], Json({"0.4.0", "1.0.0", "1.1.0"}));
  ASSERT_EQ(list["plugins"].size(), 1U);
  EXPECT_EQ(list["plugins"][0]["type"], "linsey");
  for (const char* capability : {"bandwidth", "portMappings", "ips", "mac"}) {
    EXPECT_EQ(list["plugins"][0]["capabilities"][capability], true);
  }
}

TEST(Conflist, IsReadByThePluginOnceTheRuntimeCompletedIt) {
  const Json list = *parse_json(source_file("conf/10-linsey.conflist"));
  Json entry = list["plugins"][0];
  entry["name"] = list["name"];
  entry["cniVersion"] = "1.1.0";

  const Result<NetConf> conf = parse_netconf(entry.dump());

  ASSERT_TRUE(conf) << conf.error().msg;
  EXPECT_EQ(conf->agent_socket, AgentConfig().socket);
}

}  // namespace
}  // namespace linsey::conf
