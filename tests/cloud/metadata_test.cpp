#include "cloud/metadata.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "cloud/credentials.h"
#include "tests/support/fake_clock.h"
#include "tests/support/http_server.h"
#include "tests/support/temp_dir.h"

namespace linsey::cloud {
namespace {

using tests::HttpServer;
using tests::ServedReply;
using tests::ServedRequest;

/// Items below latest/meta-data/ in either mode of the real service.
class MetadataTest : public testing::Test {
 protected:
  ServedReply serve(const ServedRequest& request) {
    ++requests_;
    if (request.path == "/latest/api/token") {
      if (!hardened_ || request.method != "PUT") return {.status = 404};
      token_ = "token-" + std::to_string(++tokens_);
      return {.status = 200, .body = token_};
    }
    const auto token = request.headers.find("x-aliyun-ecs-metadata-token");
    if (hardened_ && token == request.headers.end()) return {.status = 403};
    if (hardened_ && token->second != token_) return {.status = 401};
    const auto item = items_.find(request.path);
    if (item == items_.end()) return {.status = 404};
    return {.status = status_, .body = item->second};
  }

  void put(const std::string& path, const std::string& text) {
    items_["/latest/meta-data/" + path] = text;
  }

  void put_instance() {
    put("instance-id", "i-1");
    put("instance/instance-type", "ecs.g7.large");
    put("region-id", "cn-x");
    put("zone-id", "cn-x-f");
    put("vpc-id", "vpc-1");
    put("vswitch-id", "vsw-host");
    put("mac", "00:16:3e:00:00:01");
  }

  void put_eni(const std::string& mac, const std::string& id) {
    const std::string base = "network/interfaces/macs/" + mac + "/";
    put(base + "network-interface-id", id);
    put(base + "vswitch-id", "vsw-pod");
    put(base + "primary-ip-address", "10.2.0.5");
    put(base + "private-ipv4s", R"(["10.2.0.5", "10.2.0.6"])");
    put(base + "gateway", "10.2.0.253");
  }

  bool hardened_ = false;
  int status_ = 200;
  std::string token_;
  unsigned tokens_ = 0;
  unsigned requests_ = 0;
  std::map<std::string, std::string> items_;
  tests::FakeClock clock_;
  HttpServer server_{[this](const ServedRequest& r) { return serve(r); }};
  HttpClient http_;
  Metadata metadata_{{.url = server_.url() + "/"}, http_, clock_};
};

TEST_F(MetadataTest, ReadsTheInstance) {
  put_instance();

  const auto instance = metadata_.instance();

  ASSERT_TRUE(instance) << instance.error().msg;
  EXPECT_EQ(*instance, (Instance{.id = "i-1",
                                 .type = "ecs.g7.large",
                                 .region = "cn-x",
                                 .zone = "cn-x-f",
                                 .vpc = "vpc-1",
                                 .v_switch = "vsw-host",
                                 .mac = *Mac::parse("00:16:3e:00:00:01")}));
}

TEST_F(MetadataTest, TakesAnAbsentItemAsAbsent) {
  const auto item = metadata_.get("ipv6s");

  ASSERT_TRUE(item);
  EXPECT_EQ(*item, std::nullopt);
}

TEST_F(MetadataTest, SwitchesToTokensWhenTheServiceIsHardened) {
  put_instance();
  hardened_ = true;

  ASSERT_TRUE(metadata_.instance());
  ASSERT_TRUE(metadata_.instance());

  EXPECT_EQ(tokens_, 1U);
}

TEST_F(MetadataTest, TakesANewTokenWhenTheOldOneIsRefused) {
  put_instance();
  hardened_ = true;
  ASSERT_TRUE(metadata_.get("zone-id"));
  token_ = "rotated";

  const auto zone = metadata_.get("zone-id");

  ASSERT_TRUE(zone) << zone.error().msg;
  EXPECT_EQ(*zone, "cn-x-f");
  EXPECT_EQ(tokens_, 2U);
}

TEST_F(MetadataTest, RenewsTheTokenBeforeItEnds) {
  put_instance();
  hardened_ = true;
  ASSERT_TRUE(metadata_.get("zone-id"));

  clock_.advance(std::chrono::hours(4));
  ASSERT_TRUE(metadata_.get("zone-id"));

  EXPECT_EQ(tokens_, 2U);
}

TEST_F(MetadataTest, SaysUnavailableForAnyOtherStatus) {
  put_instance();
  status_ = 503;

  const auto zone = metadata_.get("zone-id");

  ASSERT_FALSE(zone);
  EXPECT_EQ(zone.error().code, Code::kMetadataUnavailable);
}

TEST_F(MetadataTest, BelievesNoStrangerAtItsAddress) {
  put_instance();
  put("instance-id", "<html>");

  const auto instance = metadata_.instance();

  ASSERT_FALSE(instance);
  EXPECT_EQ(instance.error().code, Code::kCloudBadReply);
}

TEST_F(MetadataTest, ListsInterfacesWithTheirAddresses) {
  put("network/interfaces/macs/", "00:16:3e:00:00:01/\n00:16:3e:00:00:02/\n");
  put_eni("00:16:3e:00:00:01", "eni-1");
  put_eni("00:16:3e:00:00:02", "eni-2");
  put("network/interfaces/macs/00:16:3e:00:00:02/ipv6s", "[fd00::5, fd00::6]");
  put("network/interfaces/macs/00:16:3e:00:00:02/ipv6-gateway", "fd00::fff7");

  const auto enis = metadata_.enis();

  ASSERT_TRUE(enis) << enis.error().msg;
  ASSERT_EQ(enis->size(), 2U);
  const AttachedEni& second = enis->at(1);
  EXPECT_EQ(second.id, "eni-2");
  EXPECT_EQ(second.v_switch, "vsw-pod");
  EXPECT_EQ(second.primary, *IpAddr::parse("10.2.0.5"));
  EXPECT_EQ(second.ipv4, (std::vector{*IpAddr::parse("10.2.0.5"),
                                      *IpAddr::parse("10.2.0.6")}));
  EXPECT_EQ(second.ipv6, (std::vector{*IpAddr::parse("fd00::5"),
                                      *IpAddr::parse("fd00::6")}));
  EXPECT_EQ(second.gateway, *IpAddr::parse("10.2.0.253"));
  EXPECT_EQ(second.gateway6, *IpAddr::parse("fd00::fff7"));
  EXPECT_EQ(enis->at(0).gateway6, std::nullopt);
}

TEST_F(MetadataTest, LeavesOutAnInterfaceThatGoesAwayWhileItIsRead) {
  put("network/interfaces/macs/", "00:16:3e:00:00:01/\n00:16:3e:00:00:02/\n");
  put_eni("00:16:3e:00:00:01", "eni-1");

  const auto enis = metadata_.enis();

  ASSERT_TRUE(enis);
  EXPECT_EQ(enis->size(), 1U);
}

TEST(MetadataDown, IsUnavailableAndNotAbsent) {
  std::string url;
  {
    const HttpServer gone([](const ServedRequest&) { return ServedReply{}; });
    url = gone.url();
  }
  const tests::FakeClock clock;
  HttpClient http;
  Metadata metadata({.url = url}, http, clock);

  const auto item = metadata.get("zone-id");

  ASSERT_FALSE(item);
  EXPECT_EQ(item.error().code, Code::kMetadataUnavailable);
}

TEST(AddressList, IsReadInEveryFormOfTheService) {
  const std::vector<IpAddr> two{*IpAddr::parse("10.0.0.1"),
                                *IpAddr::parse("10.0.0.2")};

  EXPECT_EQ(*parse_address_list(R"(["10.0.0.1","10.0.0.2"])"), two);
  EXPECT_EQ(*parse_address_list("[10.0.0.1, 10.0.0.2]"), two);
  EXPECT_EQ(*parse_address_list("10.0.0.1\n10.0.0.2\n"), two);
  EXPECT_TRUE(parse_address_list("[]")->empty());
  EXPECT_TRUE(parse_address_list("")->empty());
  EXPECT_FALSE(parse_address_list("[10.0.0]"));
}

class CredentialTest : public MetadataTest {
 protected:
  void put_role(const std::string& key, const std::string& expires) {
    put("ram/security-credentials/", "pod-role\n");
    put("ram/security-credentials/pod-role",
        R"({"Code":"Success","AccessKeyId":")" + key +
            R"(","AccessKeySecret":"s","SecurityToken":"t","Expiration":")" +
            expires + R"(","LastUpdated":"2026-01-01T20:00:00Z"})");
  }
};

TEST_F(CredentialTest, ComeFromTheRamRole) {
  put_role("STS.1", "2026-01-02T06:00:00Z");
  CredentialSource source({}, metadata_, clock_);

  const auto credentials = source.get();

  ASSERT_TRUE(credentials) << credentials.error().msg;
  EXPECT_EQ(credentials->key_id, "STS.1");
  EXPECT_EQ(credentials->key_secret, "s");
  EXPECT_EQ(credentials->security_token, "t");
}

TEST_F(CredentialTest, AreKeptUntilTheyAreAboutToEnd) {
  put_role("STS.1", "2026-01-02T06:00:00Z");
  CredentialSource source({}, metadata_, clock_);
  ASSERT_TRUE(source.get());
  put_role("STS.2", "2026-01-02T12:00:00Z");

  clock_.advance(std::chrono::hours(5));
  EXPECT_EQ(source.get()->key_id, "STS.1");
  clock_.advance(std::chrono::minutes(51));
  EXPECT_EQ(source.get()->key_id, "STS.2");
}

TEST_F(CredentialTest, ServeOnWhileTheyLiveWhenRenewalFails) {
  put_role("STS.1", "2026-01-02T06:00:00Z");
  CredentialSource source({}, metadata_, clock_);
  ASSERT_TRUE(source.get());
  status_ = 500;

  clock_.advance(std::chrono::hours(5) + std::chrono::minutes(55));
  EXPECT_EQ(source.get()->key_id, "STS.1");
  clock_.advance(std::chrono::minutes(6));
  EXPECT_EQ(source.get().error().code, Code::kCloudCredentials);
}

TEST_F(CredentialTest, AreFetchedAnewWhenTheCloudRefusedThem) {
  put_role("STS.1", "2026-01-02T06:00:00Z");
  CredentialSource source({}, metadata_, clock_);
  ASSERT_TRUE(source.get());
  put_role("STS.2", "2026-01-02T06:00:00Z");

  source.reject();

  EXPECT_EQ(source.get()->key_id, "STS.2");
}

TEST_F(CredentialTest, AreRefusedWhenTheServiceDoesNotSaySuccess) {
  put("ram/security-credentials/", "pod-role");
  put("ram/security-credentials/pod-role",
      R"({"Code":"Failed","AccessKeyId":"a","AccessKeySecret":"b"})");
  CredentialSource source({}, metadata_, clock_);

  EXPECT_EQ(source.get().error().code, Code::kCloudCredentials);
}

TEST_F(CredentialTest, FallBackToTheKeyFile) {
  const tests::TempDir dir;
  ASSERT_TRUE(write_file_atomic(
      dir / "key", R"({"accessKeyId":"LTAI","accessKeySecret":"s"})"));
  CredentialSource source({.key_file = dir / "key"}, metadata_, clock_);

  const auto credentials = source.get();

  ASSERT_TRUE(credentials) << credentials.error().msg;
  EXPECT_EQ(credentials->key_id, "LTAI");
}

TEST_F(CredentialTest, SayWhatWasTriedWithoutQuotingSecrets) {
  const tests::TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "key", R"({"accessKeySecret":"hush")"));
  CredentialSource source({.key_file = dir / "key"}, metadata_, clock_);

  const auto credentials = source.get();

  ASSERT_FALSE(credentials);
  EXPECT_NE(credentials.error().msg.find("no RAM role is bound"),
            std::string::npos);
  EXPECT_NE(credentials.error().msg.find("holds no JSON object"),
            std::string::npos);
  EXPECT_EQ(credentials.error().msg.find("hush"), std::string::npos);
}

}  // namespace
}  // namespace linsey::cloud
