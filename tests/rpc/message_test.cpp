#include "rpc/message.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "tests/rpc/samples.h"
#include "tests/support/golden.h"

namespace linsey::rpc {
namespace {

using tests::expect_golden;
using tests::sample_allocation;
using tests::sample_attachment;

/// Golden files are indented, so that their diffs can be read.
std::string readable(const std::string& json) {
  return dump_json(*parse_json(json), 2) + "\n";
}

TEST(Message, AttachmentKeepsEveryField) {
  const std::string json = to_json(sample_attachment());

  expect_golden("rpc-attachment.json", readable(json));
  EXPECT_EQ(*parse_attachment(json), sample_attachment());
}

TEST(Message, BareAttachmentKeepsItsDefaults) {
  const ipam::Attachment bare{.key = {"net1", "c1", "eth0"}};
  EXPECT_EQ(*parse_attachment(to_json(bare)), bare);
}

TEST(Message, LeaseKeepsEveryField) {
  const Lease lease{.allocation = sample_allocation(), .is_new = false};
  const std::string json = to_json(lease);

  expect_golden("rpc-lease.json", readable(json));
  EXPECT_EQ(*parse_lease(json), lease);
}

TEST(Message, HeldKeepsEveryField) {
  const ipam::Held held{sample_attachment(), sample_allocation()};
  const std::string json = to_json(held);

  expect_golden("rpc-held.json", readable(json));
  EXPECT_EQ(*parse_held(json), held);
}

TEST(Message, ReleaseKeepsEveryField) {
  const ReleaseRequest request{{"net1", "c1", "eth0"},
                               {"shop", "web-0", "8d"},
                               17,
                               "cali0123456789a",
                               true,
                               {*IpAddr::parse("10.64.0.9")}};
  const std::string json = to_json(request);

  expect_golden("rpc-release.json", readable(json));
  EXPECT_EQ(*parse_release(json), request);
}

TEST(Message, NoteKeepsEveryFieldAndHasItsOwnName) {
  const ReleaseNote note{
      {"net1", "c1", "eth0"}, {"shop", "web-0", "8d"}, "0f2c-boot"};
  const std::string json = to_json(note);

  expect_golden("release-note.json", readable(json));
  EXPECT_EQ(*parse_note(json), note);
  EXPECT_EQ(note_name(note.key).size(), 45U);
  EXPECT_NE(note_name(note.key), note_name({"net1", "c1", "eth1"}));
  EXPECT_FALSE(parse_note(R"({"version": 2})"));
}

TEST(Message, GcKeepsEveryField) {
  const GcRequest request{"net1", {{"c1", "eth0"}, {"c2", "eth0"}}};
  const GcReply reply{{{"net1", "c3", "eth0"}}};

  expect_golden("rpc-gc.json", readable(to_json(request)));
  expect_golden("rpc-gc-reply.json", readable(to_json(reply)));
  EXPECT_EQ(*parse_gc_request(to_json(request)), request);
  EXPECT_EQ(*parse_gc_reply(to_json(reply)), reply);
}

TEST(Message, GcWithoutAListIsRefusedRatherThanReadAsEmpty) {
  const Result<GcRequest> r = parse_gc_request(R"({"network": "net1"})");
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().msg, "/keep: is required");
}

TEST(Message, StatusKeepsEveryField) {
  const Status status{.ready = false,
                      .why = {Code::kZoneNotMapped, "zone x", "evidence"},
                      .node = "m1",
                      .mode = "eni",
                      .mode_why = "rule cloud",
                      .zone = "cn-x-a",
                      .free = 3,
                      .held = 4,
                      .cooling = 5};
  const std::string json = to_json(status);

  expect_golden("rpc-status.json", readable(json));
  EXPECT_EQ(*parse_status(json), status);
}

TEST(Message, KeyIsReadBareAndWrapped) {
  const ipam::AttachmentKey key{"net1", "c1", "eth0"};
  EXPECT_EQ(*parse_key(to_json(key)), key);
  EXPECT_EQ(*parse_key(R"({"key":)" + to_json(key) + "}"), key);
}

TEST(Message, ErrorKeepsItsCode) {
  const Error error{Code::kAddressesExhausted, "none left", "62 held"};
  EXPECT_EQ(parse_error(to_json(error)), error);
}

TEST(Message, ErrorOfANewerPeerKeepsItsWord) {
  const Error error = parse_error(R"({"code": "Novelty", "msg": "so"})");
  EXPECT_EQ(error.code, Code::kInternal);
  EXPECT_EQ(error.msg, "Novelty: so");
}

TEST(Message, UnreadableErrorShowsItsText) {
  const Error error = parse_error("<html>");
  EXPECT_EQ(error.code, Code::kInternal);
  EXPECT_NE(error.msg.find("<html>"), std::string::npos);
}

TEST(Message, UnknownKeysAreIgnoredAndWrongTypesNamed) {
  const auto with = [](const std::string& member) {
    return R"({"key": {"network": "n", "containerID": "c", "ifname": "e"}, )" +
           member + "}";
  };
  EXPECT_TRUE(parse_attachment(with(R"("later": {"x": 1})")));

  const Result<ipam::Attachment> r =
      parse_attachment(with(R"("wantedIPs": ["10.0.0.300"])"));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kDecode);
  EXPECT_EQ(r.error().msg.rfind("/wantedIPs/0: ", 0), 0U) << r.error().msg;
}

TEST(Message, WhatIsNoObjectIsRefused) {
  for (const char* text : {"", "null", "[]", "5", "{}"}) {
    EXPECT_FALSE(parse_attachment(text)) << text;
    EXPECT_FALSE(parse_lease(text)) << text;
    EXPECT_FALSE(parse_key(text)) << text;
  }
}

}  // namespace
}  // namespace linsey::rpc
