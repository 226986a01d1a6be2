#include "conf/node.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "conf/lenient.h"

namespace linsey::conf {
namespace {

Result<std::vector<IpAddr>> internal_addresses(const LenientObject& status) {
  std::vector<IpAddr> found;
  for (const LenientObject& entry : TRY(status.objects("addresses"))) {
    std::string type;
    std::string address;
    TRY(entry.text("type", type));
    TRY(entry.text("address", address));
    if (type != "InternalIP") continue;
    const Result<IpAddr> ip = IpAddr::parse(address);
    if (!ip) {
      return make_error(Code::kInvalidConfig, "{}: {}; correct the node object",
                        entry.pointer_to("address"), ip.error().msg);
    }
    found.push_back(*ip);
  }
  return found;
}

}  // namespace

Result<Node> parse_node(std::string_view text) {
  const Json json = TRY(context(parse_json(text), "node object"));
  if (!json.is_object()) {
    return make_error(Code::kInvalidConfig,
                      "node object: /: must be an object, is {}",
                      json.type_name());
  }
  const LenientObject root =
      TRY(LenientObject::of(&json, "", Code::kInvalidConfig));
  const LenientObject metadata = TRY(root.object("metadata"));
  const LenientObject spec = TRY(root.object("spec"));
  const LenientObject status = TRY(root.object("status"));

  Node node;
  TRY(metadata.text("name", node.name));
  TRY(metadata.text("uid", node.uid));
  TRY(metadata.text_map("labels", node.labels));
  TRY(spec.text("providerID", node.provider_id));
  if (const Json* cordoned = spec.raw("unschedulable"); cordoned != nullptr) {
    if (!cordoned->is_boolean()) {
      return make_error(
          Code::kInvalidConfig, "node object: {}: must be true or false, is {}",
          spec.pointer_to("unschedulable"), cordoned->type_name());
    }
    node.unschedulable = cordoned->get<bool>();
  }
  node.addresses = TRY(internal_addresses(status));
  if (node.name.empty()) {
    return make_error(Code::kInvalidConfig,
                      "node object: /metadata/name: is required; set it to "
                      "the name of the Kubernetes node");
  }
  return node;
}

}  // namespace linsey::conf
