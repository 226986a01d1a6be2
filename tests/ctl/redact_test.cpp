#include "ctl/redact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "ctl/tar.h"
#include "tests/support/temp_dir.h"

namespace linsey::ctl {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Redact, RemovesKnownSecretsWhereverTheyStand) {
  const std::string text =
      redact(R"(peer "se\"cret1" and se"cret1)", {"se\"cret1"});

  EXPECT_THAT(text, Not(HasSubstr("cret1")));
}

TEST(Redact, RemovesWhatIsASecretByItsName) {
  const std::string text = redact(
      R"({"password": "a\"b", "accessKeySecret":"x", "accessKeyId": "y",
          "securityToken": "z", "passwordFile": "/etc/pw", "name": "web"})",
      {});

  for (const char* gone : {"a\\\"b", "\"x\"", "\"y\"", "\"z\""}) {
    EXPECT_THAT(text, Not(HasSubstr(gone)));
  }
  EXPECT_THAT(text, HasSubstr("/etc/pw"));
  EXPECT_THAT(text, HasSubstr("web"));
}

TEST(Redact, RemovesPasswordsOfBird) {
  EXPECT_EQ(redact("  password \"md5 key\";\n", {}),
            "  password \"[removed]\";\n");
}

TEST(Redact, LeavesOtherTextAsItIs) {
  const std::string text = "route 10.0.0.0/8 via 10.0.0.1\n{\"a\": \"b\"}";
  EXPECT_EQ(redact(text, {}), text);
}

TEST(Redact, FindsTheSecretsOfAFile) {
  EXPECT_THAT(secrets_in("hunter22\n"), Contains("hunter22"));
  const auto json = secrets_in(R"({"accessKeySecret": "abcdefgh", "n": 1})");
  EXPECT_THAT(json, Contains("abcdefgh"));
}

TEST(Tar, IsReadByTar) {
  const tests::TempDir dir;
  ASSERT_TRUE(write_file_atomic(
      dir / "t.tar",
      tar_of({{"a/one.txt", "one\n"}, {"two.txt", std::string(1000, 'x')}})));
  Command command;
  command.argv = {"tar", "-xvf", dir / "t.tar", "-C", dir / "."};

  const Result<Finished> done = run(command);

  ASSERT_TRUE(done) << done.error().msg;
  EXPECT_EQ(done->exit_code, 0) << done->err;
  EXPECT_EQ(read_file(dir / "a/one.txt").value(), "one\n");
  EXPECT_EQ(read_file(dir / "two.txt").value().size(), 1000U);
}

}  // namespace
}  // namespace linsey::ctl
