#include "netlink/netns.h"

#include <sys/stat.h>

#include "base/file.h"
#include "tests/support/netns.h"
#include "tests/support/temp_dir.h"

namespace linsey::netlink {
namespace {

using tests::must;
using NetNsOf = tests::NetnsTest;

TEST_F(NetNsOf, IsTheSameUnderAnotherPath) {
  const NetNs again = must(NetNs::open(host->path()));

  EXPECT_EQ(again, *host);
  EXPECT_FALSE(again == *pod);
  EXPECT_FALSE(again == must(NetNs::current()));
}

TEST_F(NetNsOf, RefusesWhatIsNoNetworkNamespace) {
  const tests::TempDir dir;
  must(write_file_atomic(dir / "file", "x"));
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);

  for (const std::string& path : {dir / "file", dir / "fifo", dir / "nothing",
                                  dir.path(), std::string("/proc/self/ns/mnt"),
                                  std::string("/dev/null"), std::string()}) {
    const auto opened = NetNs::open(path);
    ASSERT_FALSE(opened.has_value()) << path;
    EXPECT_EQ(opened.error().code, Code::kInvalidNetns) << path;
  }
}

TEST_F(NetNsOf, RunsOnAThreadThatEnds) {
  const NetNs before = must(NetNs::current());
  std::optional<NetNs> seen;

  must(pod->run([&]() -> Result<void> {
    seen = must(NetNs::current());
    EXPECT_TRUE(seen->is_current());
    EXPECT_FALSE(before.is_current());
    return {};
  }));

  EXPECT_EQ(*seen, *pod);
  EXPECT_EQ(must(NetNs::current()), before);
}

TEST_F(NetNsOf, HandsOnTheErrorOfWhatItRan) {
  const Result<void> result =
      pod->run([] { return Result<void>(make_error(Code::kIo, "as told")); });

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().msg, "as told");
}

TEST_F(NetNsOf, WritesASysctlInsideOnly) {
  must(set_sysctl_in(*pod, "net/ipv4/ip_forward", "1"));

  inside(*pod, [] { EXPECT_EQ(must(get_sysctl("net/ipv4/ip_forward")), "1"); });
  in_host([] { EXPECT_EQ(must(get_sysctl("net/ipv4/ip_forward")), "0"); });
}

TEST_F(NetNsOf, NamesASysctlThatTheKernelDoesNotHave) {
  const auto result = set_sysctl_in(*pod, "net/ipv4/no_such_thing", "1");

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kKernelFeatureMissing);
  EXPECT_NE(result.error().msg.find("net/ipv4/no_such_thing"),
            std::string::npos);
}

}  // namespace
}  // namespace linsey::netlink
