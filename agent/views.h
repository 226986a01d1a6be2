// Views: the ledger as JSON for people, at GET /v1/ipam.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "ipam/ledger.h"

namespace linsey::agent {

/// {"counts": …, "addresses": [...], "attachments": [...], "supply": SUPPLY};
/// `supply` is JSON text of the supplier, or empty.
std::string ledger_json(const ipam::Ledger& ledger, const std::string& supply,
                        Instant now);

/// A list, or null while it is not known.
std::string names_json(const std::optional<std::set<std::string>>& names);

}  // namespace linsey::agent
