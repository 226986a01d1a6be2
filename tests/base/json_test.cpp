#include "base/json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/sha1.h"

namespace linsey {
namespace {

using std::chrono_literals::operator""s;   // NOLINT(misc-unused-using-decls)
using std::chrono_literals::operator""ms;  // NOLINT(misc-unused-using-decls)

TEST(ParseJson, RefusesWhatIsNotOneDocument) {
  for (const char* text : {"", "{", "{}x", "{} {}", "nul"}) {
    const Result<Json> r = parse_json(text);
    ASSERT_FALSE(r) << text;
    EXPECT_EQ(r.error().code, Code::kDecode);
  }
}

TEST(ParseJson, RefusesEndlessNesting) {
  EXPECT_FALSE(parse_json(std::string(100000, '[')));
}

TEST(FindMember, PrefersTheExactKeyThenIgnoresCase) {
  const Json json = *parse_json(R"({"Name": 1, "name": 2, "HostPort": 3})");
  EXPECT_EQ(*find_member(json, "name"), 2);
  EXPECT_EQ(*find_member(json, "hostPort"), 3);
  EXPECT_EQ(find_member(json, "other"), nullptr);
}

struct Sample {
  std::string text = "default";
  int number = 5;
  std::chrono::nanoseconds wait = 1s;
};

Result<Sample> read_sample(std::string_view text) {
  const Json json = TRY(parse_json(text));
  ObjectReader reader(&json, "");
  Sample sample;
  reader.get("text", sample.text);
  reader.object("inner", [&](ObjectReader& inner) {
    inner.get_int("number", sample.number, 1, 10);
    inner.get_duration("wait", sample.wait);
  });
  TRY(reader.finish());
  return sample;
}

std::string refusal(std::string_view text) {
  const Result<Sample> r = read_sample(text);
  return r ? "accepted" : r.error().msg;
}

TEST(ObjectReader, KeepsDefaultsOfAbsentKeys) {
  const Result<Sample> r = read_sample(R"({"inner": {"wait": "250ms"}})");
  ASSERT_TRUE(r.has_value());
  EXPECT_EQ(r->text, "default");
  EXPECT_EQ(r->wait, 250ms);
}

TEST(ObjectReader, IgnoresUnknownKeysWhenToldSoAlsoInChildren) {
  const Json json = *parse_json(R"({"a": 1, "child": {"b": 2}})");
  const auto ignore_child = [](ObjectReader&) {};
  ObjectReader strict(&json, "");
  ObjectReader tolerant(&json, "");
  tolerant.ignore_unknown();
  strict.object("child", ignore_child);
  tolerant.object("child", ignore_child);

  EXPECT_FALSE(strict.finish());
  EXPECT_TRUE(tolerant.finish());
}

TEST(ObjectReader, ErrorsNamePointerFactAndRemedy) {
  EXPECT_EQ(refusal(R"({"text": 5})"), "/text: must be a string, is number");
  EXPECT_EQ(refusal(R"({"inner": {"number": 11}})"),
            "/inner/number: must lie in 1..10, is 11");
  EXPECT_EQ(refusal(R"({"inner": {"numbr": 1}})"),
            "/inner/numbr: unknown key; did you mean \"number\"?");
  EXPECT_EQ(refusal(R"({"zzzzzzz": 1})"), "/zzzzzzz: unknown key; remove it");
  EXPECT_EQ(refusal(R"({"inner": []})"), "/inner: must be an object, is array");
  EXPECT_EQ(refusal(R"({"inner": {"wait": "5"}})").rfind("/inner/wait: ", 0),
            0U);
  EXPECT_EQ(refusal(R"({"inner": {"number": 18446744073709551615}})"),
            "/inner/number: must lie in 1..10, is 18446744073709551615");
}

TEST(Duration, RoundTrips) {
  for (const char* text : {"500ms", "30s", "2m", "1h", "0s", "90s", "1us"}) {
    EXPECT_EQ(format_duration(*parse_duration(text)), text);
  }
  for (const char* text : {"", "-1s", "s", "9999999999h", "5", "1 s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Sha1, MatchesThePublishedVectors) {  // FIPS 180-4 examples
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(
      sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(sha1_hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  // Around the ends of blocks; by Python's hashlib.
  const auto of = [](std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
      text.push_back(static_cast<char>((i * 7 + 3) % 256));
    }
    return sha1_hex(text);
  };
  EXPECT_EQ(of(55), "ddf57317ef34bfee3b6df83d359098930eb278bc");
  EXPECT_EQ(of(56), "a0d492bb0fc889d0eca3bc137066ab6f4f74f369");
  EXPECT_EQ(of(63), "c55856749bef509bdfe6bfebfc7bf4e793e82132");
  EXPECT_EQ(of(64), "bede92be29c3874e1b54ddc77988d606fc857a8e");
  EXPECT_EQ(of(119), "504e27376a6e0f0dba8295b85cb25dc4dfa17d23");
  EXPECT_EQ(of(120), "82134b02fb3f702491be9bed581eeab59334acb2");
}

}  // namespace
}  // namespace linsey
