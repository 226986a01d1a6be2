#include "plugin/call.h"

#include <cstdlib>
#include <map>
#include <string>

#include <gtest/gtest.h>

namespace linsey::plugin {
namespace {

/// Sets the CNI_* variables for one test and clears all others of them.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& variables) {
    clear();
    for (const auto& [name, value] : variables) {
      setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~Environment() { clear(); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static void clear() {
    for (const char* name : {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME",
                             "CNI_ARGS", "CNI_PATH", "CNI_NETNS_OVERRIDE"}) {
      unsetenv(name);
    }
  }
};

Result<Call> read_with(const std::string& id, const std::string& ifname) {
  const Environment environment(
      {{"CNI_CONTAINERID", id}, {"CNI_IFNAME", ifname}, {"CNI_NETNS", "/n"}});
  return read_environment(Verb::kAdd);
}

std::string missing(Verb verb) {
  const Environment environment({});
  const Result<Call> call = read_environment(verb);
  return call ? "" : call.error().msg;
}

TEST(ReadEnvironment, NamesAllThatIsMissingInOneMessage) {
  EXPECT_EQ(missing(Verb::kAdd),
            "required variables are missing: CNI_CONTAINERID, CNI_NETNS, "
            "CNI_IFNAME");
  EXPECT_EQ(missing(Verb::kDel),
            "required variables are missing: CNI_CONTAINERID, CNI_IFNAME");
  EXPECT_EQ(missing(Verb::kCheck), missing(Verb::kAdd));
  EXPECT_EQ(missing(Verb::kGc), "required variables are missing: CNI_PATH");
  EXPECT_EQ(missing(Verb::kStatus), "");
}

TEST(ReadEnvironment, RefusesContainerIdsOutsideTheirAlphabet) {
  for (const char* id : {"-a", ".a", "_a", "a/b", "a b", "a\n", "%%", "é"}) {
    const Result<Call> call = read_with(id, "eth0");
    ASSERT_FALSE(call) << id;
    EXPECT_EQ(call.error().code, Code::kInvalidEnvironment);
  }
  EXPECT_TRUE(read_with("A.b_c-9", "eth0"));
  EXPECT_TRUE(read_with(std::string(300, 'x'), "eth0"));
}

TEST(ReadEnvironment, RefusesNamesThatNoInterfaceCanHave) {
  for (const char* ifname : {"0123456789abcdef", "éééééééé", ".", "..", "a/b",
                             "a:b", "a b", "a\tb", "a\302\240b"}) {
    EXPECT_FALSE(read_with("c1", ifname)) << ifname;
  }
  for (const char* ifname : {"0123456789abcde", "é", "..."}) {
    EXPECT_TRUE(read_with("c1", ifname)) << ifname;
  }
}

TEST(ReadEnvironment, TakesTheOverrideInAnyCase) {
  for (const auto& [text, wanted] : std::map<std::string, bool>{{"1", true},
                                                                {"true", true},
                                                                {"TRUE", true},
                                                                {"yes", false},
                                                                {"0", false},
                                                                {"", false}}) {
    const Environment environment({{"CNI_CONTAINERID", "c1"},
                                   {"CNI_IFNAME", "eth0"},
                                   {"CNI_NETNS_OVERRIDE", text}});
    EXPECT_EQ(read_environment(Verb::kDel)->netns_override, wanted) << text;
  }
}

TEST(ParseArgs, ReadsWhatKubernetesRuntimesSend) {
  const Result<Args> args = parse_args(
      "K8S_POD_UID=u-1;IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;"
      "K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_NAME=web-0;IP=10.0.0.7/24;"
      "MAC=02:00:00:00:00:01");

  ASSERT_TRUE(args.has_value());
  EXPECT_EQ(args->pod, (ipam::Pod{"shop", "web-0", "u-1"}));
  ASSERT_EQ(args->ips.size(), 1U);
  EXPECT_EQ(args->ips[0].to_string(), "10.0.0.7");
  EXPECT_EQ(args->mac->to_string(), "02:00:00:00:00:01");
}

TEST(ParseArgs, IsTolerantOfShape) {
  for (const char* text :
       {"", ";", "K8S_POD_NAME=", "A=b=c", "IgnoreUnknown=1;", "FOO=BAR",
        "noequals", "=", ";;=;=x", "IP=;MAC="}) {
    EXPECT_TRUE(parse_args(text)) << text;
  }
  EXPECT_EQ(parse_args("K8S_POD_NAME=a=b")->pod.name, "a=b");
}

TEST(ParseArgs, RefusesAnAddressThatIsNone) {
  EXPECT_FALSE(parse_args("IP=10.0.0"));
  EXPECT_FALSE(parse_args("MAC=xx"));
  EXPECT_EQ(pod_of("IP=10.0.0;K8S_POD_NAME=web-0").name, "web-0")
      << "DEL does not care";
}

TEST(AttachmentOf, TheConfigurationBeatsCniArgs) {
  Call call;
  call.args = "IP=10.0.0.7;MAC=02:00:00:00:00:01;K8S_POD_NAME=web-0";
  EXPECT_EQ(attachment_of(call)->wanted_ips[0].to_string(), "10.0.0.7");

  call.conf.ips = {*IpAddr::parse("10.0.0.8")};
  call.conf.mac = *Mac::parse("02:00:00:00:00:02");
  const ipam::Attachment attachment = attachment_of(call).value();

  EXPECT_EQ(attachment.wanted_ips[0].to_string(), "10.0.0.8");
  EXPECT_EQ(attachment.wanted_mac->to_string(), "02:00:00:00:00:02");
  EXPECT_EQ(attachment.pod.name, "web-0");
}

TEST(OpenPodNetns, RefusesOurOwnWithoutTheOverride) {
  Call call;
  call.netns = "/proc/self/ns/net";
  const Result<netlink::NetNs> pod = open_pod_netns(call);
  ASSERT_FALSE(pod);
  EXPECT_EQ(pod.error().code, Code::kInvalidNetns);
  EXPECT_FALSE(live_pod_netns(call).has_value());

  call.netns_override = true;
  EXPECT_TRUE(open_pod_netns(call));
  EXPECT_TRUE(live_pod_netns(call).has_value());
}

TEST(OpenPodNetns, RefusesWhatIsNoNamespace) {
  Call call;
  for (const char* path : {"/does/not/exist", "/etc/hostname", "/"}) {
    call.netns = path;
    const Result<netlink::NetNs> pod = open_pod_netns(call);
    ASSERT_FALSE(pod) << path;
    EXPECT_EQ(pod.error().code, Code::kInvalidNetns) << path;
    EXPECT_FALSE(live_pod_netns(call).has_value()) << path;
  }
}

}  // namespace
}  // namespace linsey::plugin
