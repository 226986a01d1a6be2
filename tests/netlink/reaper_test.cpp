#include "netlink/reaper.h"

#include "netlink/socket.h"
#include "tests/support/netns.h"

namespace linsey::netlink {
namespace {

using tests::must;
using namespace std::chrono_literals;

class LinkReaperOf : public tests::NetnsTest {
 protected:
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    socket.emplace(must(Socket::open_in(*host)));
    in_host([this] { reaper = must(LinkReaper::start(2)); });
  }
  int add_pair(const std::string& name, std::uint32_t group) {
    std::optional<Link> link;
    must(socket->run(Batch()
                         .add_link({.name = name,
                                    .kind = "veth",
                                    .group = group,
                                    .peer = PeerSpec{.name = name + "p",
                                                     .netns_fd = pod->fd()}})
                         .read_link(name, link)));
    return link.value().index;
  }

  std::optional<Socket> socket;
  std::optional<LinkReaper> reaper;
};

TEST_F(LinkReaperOf, ReturnsWhenTheLinkIsGoneFromBothNamespaces) {
  const int index = add_pair("a", 0);

  in_host([&] { must(delete_link_until_gone(*reaper, index, 10s)); });

  EXPECT_EQ(must(socket->find_link("a")), std::nullopt);
  Socket inside_pod = must(Socket::open_in(*pod));
  EXPECT_EQ(must(inside_pod.find_link("ap")), std::nullopt);
}

TEST_F(LinkReaperOf, CountsAMissingLinkAsGone) {
  in_host([&] { must(delete_link_until_gone(*reaper, 4711, 10s)); });
}

TEST_F(LinkReaperOf, DeletesAGroupAndSparesTheRest) {
  add_pair("a", kDyingGroup);
  add_pair("b", kDyingGroup);
  add_pair("c", 0);

  reaper->reap_group(kDyingGroup);
  reaper.reset();  // waits for what is under way

  EXPECT_EQ(must(socket->find_link("a")), std::nullopt);
  EXPECT_EQ(must(socket->find_link("b")), std::nullopt);
  EXPECT_NE(must(socket->find_link("c")), std::nullopt);
}

TEST_F(LinkReaperOf, TellsWhenTheKernelAcknowledged) {
  const int index = add_pair("a", 0);
  bool succeeded = false;

  reaper->reap(index, [&](const Result<void>& result) {
    succeeded = result.has_value();
  });
  reaper.reset();

  EXPECT_TRUE(succeeded);
}

TEST_F(LinkReaperOf, TellsWhenTheKernelRefused) {
  std::string said;

  reaper->reap(1, [&](const Result<void>& result) {  // lo
    if (!result) said = result.error().msg;
  });
  reaper.reset();

  EXPECT_EQ(said, "remove link #1: Operation not supported");
}

}  // namespace
}  // namespace linsey::netlink
