// Views: the ledger as JSON for people, at GET /v1/ipam.
#pragma once

#include <string>

#include "base/clock.h"
#include "ipam/ledger.h"

namespace linsey::agent {

/// {"counts": …, "addresses": [...], "attachments": [...], "supply": SUPPLY};
/// `supply` is JSON text of the supplier, or empty.
std::string ledger_json(const ipam::Ledger& ledger, const std::string& supply,
                        Instant now);

}  // namespace linsey::agent
