#include "agent/views.h"

#include <chrono>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "rpc/message.h"

namespace linsey::agent {
namespace {

std::string_view word(ipam::State state) {
  switch (state) {
    case ipam::State::kFree:
      return "free";
    case ipam::State::kCooling:
      return "cooling";
    case ipam::State::kHeld:
      return "held";
    default:
      return "reserved";
  }
}

Json row_json(const ipam::AddressRow& row, Instant now) {
  Json json{{"address", row.address.to_string()},
            {"source", row.source},
            {"state", word(row.state)},
            {"draining", row.draining}};
  if (!row.group.empty()) json["group"] = row.group;
  if (row.since) {
    json["releasedSecondsAgo"] =
        std::chrono::duration_cast<std::chrono::seconds>(now - *row.since)
            .count();
  }
  if (row.holder) {
    json["holder"] = {{"network", row.holder->network},
                      {"containerID", row.holder->container_id},
                      {"ifname", row.holder->ifname}};
  }
  if (!row.note.empty()) json["note"] = row.note;
  return json;
}

Json parsed(const std::string& text) {
  const Result<Json> json = parse_json(text);
  return json ? *json : Json(nullptr);
}

}  // namespace

std::string ledger_json(const ipam::Ledger& ledger, const std::string& supply,
                        Instant now) {
  Json addresses = Json::array();
  for (const ipam::AddressRow& row : ledger.rows(now)) {
    addresses.push_back(row_json(row, now));
  }
  Json attachments = Json::array();
  for (const auto& [key, held] : ledger.held()) {
    attachments.push_back(parsed(rpc::to_json(held)));
  }
  const ipam::Counts counts = ledger.counts(now);
  return dump_json({{"counts",
                     {{"free", counts.free},
                      {"cooling", counts.cooling},
                      {"held", counts.held},
                      {"reserved", counts.reserved},
                      {"draining", counts.draining}}},
                    {"addresses", std::move(addresses)},
                    {"attachments", std::move(attachments)},
                    {"supply", parsed(supply)}});
}

std::string names_json(const std::optional<std::set<std::string>>& names) {
  return names ? dump_json(Json(*names)) : "null";
}

}  // namespace linsey::agent
