#include "rpc/message.h"

#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha1.h"

namespace linsey::rpc {
namespace {

constexpr int kNoteVersion = 1;
constexpr std::int64_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kMaxI64 = std::numeric_limits<std::int64_t>::max();

// --- to JSON ---------------------------------------------------------------

template <typename T>
Json texts(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) {
    list.push_back(value.to_string());
  }
  return list;
}

Json json_of(const ipam::AttachmentKey& key) {
  return {{"network", key.network},
          {"containerID", key.container_id},
          {"ifname", key.ifname}};
}

Json json_of(const ipam::Pod& pod) {
  return {{"namespace", pod.name_space}, {"name", pod.name}, {"uid", pod.uid}};
}

Json json_of(const ipam::Bandwidth& bandwidth) {
  return {{"ingressRate", bandwidth.ingress_rate},
          {"ingressBurst", bandwidth.ingress_burst},
          {"egressRate", bandwidth.egress_rate},
          {"egressBurst", bandwidth.egress_burst}};
}

Json json_of(const ipam::PortMapping& mapping) {
  Json json = {{"hostPort", mapping.host_port},
               {"containerPort", mapping.container_port},
               {"protocol", mapping.protocol}};
  if (mapping.host_ip) json["hostIP"] = mapping.host_ip->to_string();
  return json;
}

/// What is not there reads as its default: most pods ask for nothing special.
Json json_of(const ipam::Attachment& attachment) {
  Json json = {{"key", json_of(attachment.key)},
               {"pod", json_of(attachment.pod)},
               {"netns", attachment.netns}};
  if (!attachment.wanted_ips.empty()) {
    json["wantedIPs"] = texts(attachment.wanted_ips);
  }
  if (!(attachment.bandwidth == ipam::Bandwidth{})) {
    json["bandwidth"] = json_of(attachment.bandwidth);
  }
  if (attachment.wanted_mac) {
    json["wantedMAC"] = attachment.wanted_mac->to_string();
  }
  if (attachment.wanted_mtu) json["wantedMTU"] = *attachment.wanted_mtu;
  for (const ipam::PortMapping& mapping : attachment.port_mappings) {
    json["portMappings"].push_back(json_of(mapping));
  }
  return json;
}

Json json_of(const ipam::Allocation& allocation) {
  Json json = {{"addresses", texts(allocation.addresses)},
               {"nodeAddresses", texts(allocation.node_addresses)},
               {"mtu", allocation.mtu},
               {"source", allocation.source}};
  if (allocation.eni) {
    json["eni"] = {{"eniID", allocation.eni->eni_id},
                   {"table", allocation.eni->table},
                   {"toPodPriority", allocation.eni->to_pod_priority},
                   {"fromPodPriority", allocation.eni->from_pod_priority}};
  }
  return json;
}

Json json_of(const Error& error) {
  return {{"code", name(error.code)},
          {"msg", error.msg},
          {"details", error.details}};
}

// --- from JSON -------------------------------------------------------------

void read(ObjectReader& r, ipam::AttachmentKey& key) {
  for (const char* name : {"network", "containerID", "ifname"}) {
    r.require(name);
  }
  r.get("network", key.network);
  r.get("containerID", key.container_id);
  r.get("ifname", key.ifname);
}

void read(ObjectReader& r, ipam::Pod& pod) {
  r.get("namespace", pod.name_space);
  r.get("name", pod.name);
  r.get("uid", pod.uid);
}

void read(ObjectReader& r, ipam::Bandwidth& bandwidth) {
  r.get_int("ingressRate", bandwidth.ingress_rate, 0, kMaxI64);
  r.get_int("ingressBurst", bandwidth.ingress_burst, 0, kMaxI64);
  r.get_int("egressRate", bandwidth.egress_rate, 0, kMaxI64);
  r.get_int("egressBurst", bandwidth.egress_burst, 0, kMaxI64);
}

void read(ObjectReader& r, ipam::PortMapping& mapping) {
  r.get_int("hostPort", mapping.host_port, 0, 65535);
  r.get_int("containerPort", mapping.container_port, 0, 65535);
  r.get("protocol", mapping.protocol);
  if (r.has("hostIP")) {
    r.get_parsed("hostIP", mapping.host_ip.emplace(), IpAddr::parse);
  }
}

void read(ObjectReader& r, ipam::Attachment& attachment) {
  r.require("key");
  r.object("key", [&](ObjectReader& o) { read(o, attachment.key); });
  r.object("pod", [&](ObjectReader& o) { read(o, attachment.pod); });
  r.get("netns", attachment.netns);
  r.get_parsed_list("wantedIPs", attachment.wanted_ips, IpAddr::parse);
  if (r.has("wantedMAC")) {
    r.get_parsed("wantedMAC", attachment.wanted_mac.emplace(), Mac::parse);
  }
  if (r.has("wantedMTU")) {
    r.get_int("wantedMTU", attachment.wanted_mtu.emplace(), 0, kMaxU32);
  }
  r.object("bandwidth",
           [&](ObjectReader& o) { read(o, attachment.bandwidth); });
  r.each("portMappings", [&](ObjectReader& o) {
    read(o, attachment.port_mappings.emplace_back());
  });
}

void read(ObjectReader& r, ipam::Allocation& allocation) {
  r.get_parsed_list("addresses", allocation.addresses, IpAddr::parse);
  r.get_parsed_list("nodeAddresses", allocation.node_addresses, IpAddr::parse);
  r.get_int("mtu", allocation.mtu, 0, kMaxU32);
  r.get("source", allocation.source);
  r.object("eni", [&](ObjectReader& o) {
    ipam::EniPath& eni = allocation.eni.emplace();
    o.get("eniID", eni.eni_id);
    o.get_int("table", eni.table, 0, kMaxU32);
    o.get_int("toPodPriority", eni.to_pod_priority, 0, kMaxU32);
    o.get_int("fromPodPriority", eni.from_pod_priority, 0, kMaxU32);
  });
}

void read(ObjectReader& r, Lease& lease) {
  r.require("allocation");
  r.object("allocation", [&](ObjectReader& o) { read(o, lease.allocation); });
  r.get("isNew", lease.is_new);
}

void read(ObjectReader& r, ipam::Held& held) {
  r.require("attachment");
  r.require("allocation");
  r.object("attachment", [&](ObjectReader& o) { read(o, held.attachment); });
  r.object("allocation", [&](ObjectReader& o) { read(o, held.allocation); });
}

void read(ObjectReader& r, ReleaseRequest& request) {
  r.require("key");
  r.object("key", [&](ObjectReader& o) { read(o, request.key); });
  r.object("pod", [&](ObjectReader& o) { read(o, request.pod); });
  r.get_int("linkIndex", request.link_index, 0,
            std::numeric_limits<int>::max());
  r.get("linkName", request.link_name);
  r.get("pathDown", request.path_down);
  r.get_parsed_list("addresses", request.addresses, IpAddr::parse);
}

void read(ObjectReader& r, ReleaseNote& note) {
  int version = 0;
  r.require("version");
  r.get_int("version", version, kNoteVersion, kNoteVersion);
  r.require("key");
  r.object("key", [&](ObjectReader& o) { read(o, note.key); });
  r.object("pod", [&](ObjectReader& o) { read(o, note.pod); });
  r.get("bootID", note.boot_id);
}

void read(ObjectReader& r, GcRequest& request) {
  r.require("network");
  r.require("keep");  // an absent list must never read as "keep nothing"
  r.get("network", request.network);
  r.each("keep", [&](ObjectReader& o) {
    KeepAttachment& keep = request.keep.emplace_back();
    o.require("containerID");
    o.require("ifname");
    o.get("containerID", keep.container_id);
    o.get("ifname", keep.ifname);
  });
}

void read(ObjectReader& r, GcReply& reply) {
  r.each("released",
         [&](ObjectReader& o) { read(o, reply.released.emplace_back()); });
}

void read(ObjectReader& r, Error& error) {
  std::string word;
  r.require("code");
  r.get("code", word);
  r.get("msg", error.msg);
  r.get("details", error.details);
  const std::optional<Code> code = code_from_name(word);
  if (code) {
    error.code = *code;
  } else if (!word.empty()) {  // a newer peer's: keep its word for people
    error.msg = fmt::format("{}: {}", word, error.msg);
  }
}

void read(ObjectReader& r, Status& status) {
  r.get("ready", status.ready);
  r.object("why", [&](ObjectReader& o) { read(o, status.why); });
  r.get("node", status.node);
  r.get("mode", status.mode);
  r.get("modeWhy", status.mode_why);
  r.get("zone", status.zone);
  r.get_int("free", status.free, 0, kMaxU32);
  r.get_int("held", status.held, 0, kMaxU32);
  r.get_int("cooling", status.cooling, 0, kMaxU32);
}

/// Result<Error> would not know which of the two it holds.
struct ErrorBody {
  Error error;
};

void read(ObjectReader& r, ErrorBody& body) {
  read(r, body.error);
}

template <typename T>
Result<T> parse_as(std::string_view text) {
  const Json json = TRY(parse_json(text));
  ObjectReader reader(&json, "", Code::kDecode);
  reader.ignore_unknown();
  T value;
  if (!reader.failed()) read(reader, value);
  TRY(reader.finish());
  return value;
}

}  // namespace

std::string to_json(const ipam::AttachmentKey& key) {
  return dump_json(json_of(key));
}

std::string to_json(const ipam::Attachment& attachment) {
  return dump_json(json_of(attachment));
}

std::string to_json(const ipam::Held& held) {
  return dump_json({{"attachment", json_of(held.attachment)},
                    {"allocation", json_of(held.allocation)}});
}

std::string to_json(const Lease& lease) {
  return dump_json(
      {{"allocation", json_of(lease.allocation)}, {"isNew", lease.is_new}});
}

std::string to_json(const ReleaseRequest& request) {
  return dump_json({{"key", json_of(request.key)},
                    {"pod", json_of(request.pod)},
                    {"linkIndex", request.link_index},
                    {"linkName", request.link_name},
                    {"pathDown", request.path_down},
                    {"addresses", texts(request.addresses)}});
}

std::string to_json(const ReleaseNote& note) {
  return dump_json({{"version", kNoteVersion},
                    {"key", json_of(note.key)},
                    {"pod", json_of(note.pod)},
                    {"bootID", note.boot_id}});
}

std::string note_name(const ipam::AttachmentKey& key) {
  return sha1_hex(key.network + "/" + key.container_id + "/" + key.ifname) +
         ".note";
}

std::string to_json(const GcRequest& request) {
  Json keep = Json::array();
  for (const KeepAttachment& one : request.keep) {
    keep.push_back({{"containerID", one.container_id}, {"ifname", one.ifname}});
  }
  return dump_json({{"network", request.network}, {"keep", std::move(keep)}});
}

std::string to_json(const GcReply& reply) {
  Json released = Json::array();
  for (const ipam::AttachmentKey& key : reply.released) {
    released.push_back(json_of(key));
  }
  return dump_json({{"released", std::move(released)}});
}

std::string to_json(const Status& status) {
  Json json = {{"ready", status.ready}, {"node", status.node},
               {"mode", status.mode},   {"modeWhy", status.mode_why},
               {"zone", status.zone},   {"free", status.free},
               {"held", status.held},   {"cooling", status.cooling}};
  if (!status.ready) json["why"] = json_of(status.why);
  return dump_json(json);
}

std::string to_json(const Error& error) {
  return dump_json(json_of(error));
}

Result<ipam::AttachmentKey> parse_key(std::string_view text) {
  const Json json = TRY(parse_json(text));
  ObjectReader reader(&json, "", Code::kDecode);
  reader.ignore_unknown();
  ipam::AttachmentKey key;
  // {"key": {…}} is the body of /v1/check; a bare key is accepted as well.
  if (reader.has("key")) {
    reader.object("key", [&](ObjectReader& o) { read(o, key); });
  } else if (!reader.failed()) {
    read(reader, key);
  }
  TRY(reader.finish());
  return key;
}

Result<ipam::Attachment> parse_attachment(std::string_view text) {
  return parse_as<ipam::Attachment>(text);
}

Result<ipam::Held> parse_held(std::string_view text) {
  return parse_as<ipam::Held>(text);
}

Result<Lease> parse_lease(std::string_view text) {
  return parse_as<Lease>(text);
}

Result<ReleaseRequest> parse_release(std::string_view text) {
  return parse_as<ReleaseRequest>(text);
}

Result<ReleaseNote> parse_note(std::string_view text) {
  return parse_as<ReleaseNote>(text);
}

Result<GcRequest> parse_gc_request(std::string_view text) {
  return parse_as<GcRequest>(text);
}

Result<GcReply> parse_gc_reply(std::string_view text) {
  return parse_as<GcReply>(text);
}

Result<Status> parse_status(std::string_view text) {
  return parse_as<Status>(text);
}

Error parse_error(std::string_view text) {
  const Result<ErrorBody> body = parse_as<ErrorBody>(text);
  if (body) return body->error;
  constexpr std::size_t kShown = 500;
  return {Code::kInternal,
          fmt::format("the agent's error cannot be read: {}",
                      text.substr(0, kShown)),
          body.error().msg};
}

}  // namespace linsey::rpc
