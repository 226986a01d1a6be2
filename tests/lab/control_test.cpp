#include "lab/control.h"

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temp_dir.h"

namespace linsey::lab {
namespace {

class Control : public testing::Test {
 protected:
  void serve(Handler handler) {
    auto started = ControlServer::start(path_, std::move(handler));
    ASSERT_TRUE(started.has_value());
    server_ = std::move(started).value();
  }
  Result<Answer> call(const Json& request, const Progress& progress = {}) {
    ControlClient client = TRY(ControlClient::connect(path_));
    return client.call(request, progress);
  }

  tests::TempDir dir_;
  std::string path_ = dir_ / "control.sock";
  std::unique_ptr<ControlServer> server_;
};

Answer plain(Json json) {
  return {std::make_shared<const Json>(std::move(json)), {}};
}

TEST_F(Control, TellsProgressBeforeTheResult) {
  serve([](const Json& request, const Progress& progress) -> Result<Answer> {
    progress("half");
    return plain({{"echo", request["x"]}});
  });
  std::vector<std::string> told;

  const auto answer =
      call({{"x", 7}}, [&](const std::string& text) { told.push_back(text); });

  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ((*answer->result)["echo"], 7);
  EXPECT_EQ(told, std::vector<std::string>{"half"});
}

TEST_F(Control, CarriesErrorsWithCodeAndDetails) {
  serve([](const Json&, const Progress&) -> Result<Answer> {
    return Error{Code::kZoneNotMapped, "zone f", "evidence"};
  });

  const auto answer = call(Json::object());

  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error(),
            (Error{Code::kZoneNotMapped, "zone f", "evidence"}));
}

TEST_F(Control, SendsADescriptorAlong) {
  serve([](const Json&, const Progress&) -> Result<Answer> {
    Answer out = plain(Json::object());
    out.fd = UniqueFd(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    return out;
  });

  const auto answer = call(Json::object());

  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(static_cast<bool>(answer->fd));
}

TEST_F(Control, KnowsWhoListens) {
  serve([](const Json&, const Progress&) -> Result<Answer> {
    return plain(Json::object());
  });

  const auto client = ControlClient::connect(path_);

  ASSERT_TRUE(client.has_value());
  EXPECT_EQ(client->peer_pid(), getpid());
}

TEST_F(Control, SaysThatNoLabListens) {
  const auto answer = call(Json::object());

  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::kNotAvailable);
}

}  // namespace
}  // namespace linsey::lab
