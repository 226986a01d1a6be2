#include "base/ip.h"

#include <limits>

#include <gtest/gtest.h>

namespace linsey {
namespace {

IpAddr ip(std::string_view text) {
  return *IpAddr::parse(text);
}
Cidr cidr(std::string_view text) {
  return *Cidr::parse(text);
}

TEST(IpAddr, PrintsWhatItParsed) {
  for (const char* text : {"0.0.0.0", "10.244.1.7", "255.255.255.255",
                           "::", "fd00::1", "2001:db8::ff:0:1"}) {
    EXPECT_EQ(ip(text).to_string(), text);
  }
  EXPECT_EQ(ip("::ffff:10.1.2.3"), ip("10.1.2.3"));
}

TEST(IpAddr, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1 ",
                           "fe80::1%eth0", "g::", "10.0.0.1/8"}) {
    EXPECT_FALSE(IpAddr::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddr::parse(std::string_view("10.0.0.1\0x", 10)));
}

TEST(IpAddr, AddsAcrossBytesAndStopsAtTheEnd) {
  EXPECT_EQ(ip("10.0.0.255").plus(1), ip("10.0.1.0"));
  EXPECT_EQ(ip("fd00::ffff").plus(1), ip("fd00::1:0"));
  EXPECT_EQ(ip("0.0.0.0").plus(0xffffffff), ip("255.255.255.255"));
  EXPECT_FALSE(ip("255.255.255.255").plus(1).has_value());
  EXPECT_FALSE(ip("1.0.0.0").plus(0x100000000).has_value());
}

TEST(IpAddr, DistanceSaturates) {
  EXPECT_EQ(ip("10.0.1.0").minus(ip("10.0.0.255")), 1U);
  EXPECT_EQ(ip("ff00::").minus(ip("::")),
            std::numeric_limits<std::uint64_t>::max());
}

TEST(IpAddr, KnowsItsKind) {
  EXPECT_TRUE(ip("127.0.0.9").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_TRUE(ip("169.254.1.1").is_link_local());
  EXPECT_TRUE(ip("fe80::1").is_link_local());
  EXPECT_TRUE(ip("224.0.0.1").is_multicast());
  EXPECT_TRUE(ip("ff02::1").is_multicast());
  EXPECT_TRUE(ip("::").is_unspecified());
  EXPECT_FALSE(ip("10.0.0.1").is_loopback());
}

TEST(Cidr, KnowsItsBounds) {
  EXPECT_EQ(cidr("10.0.0.77/26").first(), ip("10.0.0.64"));
  EXPECT_EQ(cidr("10.0.0.77/26").last(), ip("10.0.0.127"));
  EXPECT_EQ(cidr("10.0.0.64/26").size(), 64U);
  EXPECT_EQ(cidr("fd00::/122").last(), ip("fd00::3f"));
  EXPECT_EQ(cidr("::/0").size(), std::numeric_limits<std::uint64_t>::max());
}

TEST(Cidr, ContainsAndOverlaps) {
  EXPECT_TRUE(cidr("10.0.0.0/8").contains(ip("10.9.9.9")));
  EXPECT_FALSE(cidr("10.0.0.0/8").contains(ip("11.0.0.0")));
  EXPECT_FALSE(cidr("::/0").contains(ip("10.0.0.1")));
  EXPECT_TRUE(cidr("10.0.0.0/8").contains(cidr("10.1.0.0/16")));
  EXPECT_FALSE(cidr("10.1.0.0/16").contains(cidr("10.0.0.0/8")));
  EXPECT_TRUE(cidr("10.1.0.0/16").overlaps(cidr("10.0.0.0/8")));
  EXPECT_FALSE(cidr("10.0.0.0/9").overlaps(cidr("10.128.0.0/9")));
}

TEST(Cidr, RefusesWhatIsNoNetwork) {
  for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129",
                           "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8x"}) {
    EXPECT_FALSE(Cidr::parse(text)) << text;
  }
  const Result<Cidr> host_bits = Cidr::parse_network("10.0.0.1/24");
  ASSERT_FALSE(host_bits);
  EXPECT_NE(host_bits.error().msg.find("10.0.0.0/24"), std::string::npos);
}

TEST(Mac, RoundTripsAndRefuses) {
  EXPECT_EQ(Mac::parse("EE:ee:0a:0B:ff:01")->to_string(), "ee:ee:0a:0b:ff:01");
  EXPECT_FALSE(Mac::parse("ee:ee:0a:0b:ff"));
  EXPECT_FALSE(Mac::parse("ee-ee-0a-0b-ff-01"));
}

TEST(Mac, DerivedOnesAreLocalUnicastAndStable) {
  const Mac mac = Mac::derived("net/c1/eth0");
  EXPECT_EQ(mac, Mac::derived("net/c1/eth0"));
  EXPECT_NE(mac, Mac::derived("net/c2/eth0"));
  EXPECT_EQ(mac.bytes()[0] & 0x03, 0x02);
}

}  // namespace
}  // namespace linsey
