// Random histories of the ledger and its store against a small model. A
// failure prints its seed; run again with LINSEY_SEED=N.
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "ipam/store.h"
#include "tests/ipam/make.h"
#include "tests/support/temp_dir.h"

namespace linsey::ipam {
namespace {

using std::chrono_literals::operator""s;
using tests::key;
using tests::kStart;

constexpr LedgerOptions kOptions{.cool_down = 30s, .cool_down_min = 5s};
constexpr int kOperations = 100000;

/// What must be true, in as few words as possible: addresses in a map, picked
/// by a linear search.
struct Model {
  struct Address {
    bool supplied = false;
    std::string holder;
    Instant since = Instant::min();
  };
  std::map<IpAddr, Address> addresses;

  std::vector<IpAddr> held_by(const std::string& id) const {
    std::vector<IpAddr> result;
    for (const auto& [ip, address] : addresses) {
      if (address.holder == id) result.push_back(ip);
    }
    return result;
  }
  std::optional<IpAddr> longest_free(Family family, Instant now) const {
    std::optional<IpAddr> best;
    for (const auto& [ip, address] : addresses) {
      if (ip.family() != family || !address.supplied ||
          !address.holder.empty() ||
          (address.since != Instant::min() &&
           address.since + kOptions.cool_down_min > now)) {
        continue;
      }
      if (!best || address.since < addresses.at(*best).since) best = ip;
    }
    return best;
  }
};

class History {
 public:
  explicit History(unsigned seed) : random_(seed) {
    reopen();
    for (const auto& item : tests::supply("10.0.0.0", 24)) {
      supply(item.address, true);
    }
    for (const auto& item : tests::supply("fd00::", 16)) {
      supply(item.address, true);
    }
    save();
  }

  void step() {
    now_ += Duration(1 + random_() % 2000000000);
    const std::uint64_t what = random_() % 1000;
    if (what < 450) {
      assign();
    } else if (what < 850) {
      release();
    } else if (what < 880) {
      gc();
    } else if (what < 940) {
      supply(random_address(), random_() % 3 != 0);
    } else if (what < 980) {
      save();
    } else if (what < 984) {
      crash();
    } else {
      now_ += 40s;
    }
  }

  void check() {
    const Result<void> sound = ledger().check_invariants();
    ASSERT_TRUE(sound.has_value()) << sound.error().msg;
    for (const auto& [ip, address] : model_.addresses) {
      const AttachmentKey* holder = ledger().holder(ip);
      ASSERT_EQ(holder == nullptr ? "" : holder->container_id, address.holder)
          << ip.to_string();
    }
  }

 private:
  Ledger& ledger() { return opened_->loaded.ledger; }
  std::string random_id() { return std::to_string(1 + random_() % 40); }
  IpAddr random_address() {
    auto it = model_.addresses.begin();
    std::advance(it, random_() % model_.addresses.size());
    return it->first;
  }

  void assign() {
    const std::string id = random_id();
    auto wish = tests::request(id);
    if (random_() % 2 == 0) wish.families.push_back(Family::kV6);
    wish.asked_at = now_;
    std::vector<IpAddr> expected = model_.held_by(id);
    const bool is_new = expected.empty();
    bool possible = true;
    for (const Family family : wish.families) {
      if (!is_new) break;
      const auto best = model_.longest_free(family, now_);
      possible = possible && best.has_value();
      if (best) expected.push_back(*best);
    }
    const Result<Assigned> assigned = ledger().assign(wish, now_);

    ASSERT_EQ(assigned.has_value(), possible);
    if (!possible) return;
    ASSERT_EQ(assigned->is_new, is_new);
    ASSERT_EQ(assigned->held.allocation.addresses, expected);
    if (is_new && random_() % 8 == 0) {  // nobody heard of it
      ledger().unassign(key(id));
      return;
    }
    for (const IpAddr& ip : expected) {
      model_.addresses[ip].holder = id;
    }
  }

  void release() {
    const std::string id = random_id();
    ASSERT_EQ(ledger().release(key(id), now_).addresses, model_.held_by(id));
    free(id);
  }

  void free(const std::string& id) {
    for (const IpAddr& ip : model_.held_by(id)) {
      model_.addresses[ip].holder.clear();
      model_.addresses[ip].since = now_;
    }
  }

  void gc() {
    std::set<AttachmentKey> keep;
    for (int id = 1; id <= 40; ++id) {
      if (random_() % 8 != 0) {
        keep.insert(key(std::to_string(id)));
      } else {
        free(std::to_string(id));
      }
    }
    (void)ledger().release_all_but("net1", keep, now_);
  }

  void supply(const IpAddr& ip, bool present) {
    Model::Address& address = model_.addresses[ip];
    address.supplied = present;
    if (present) {
      ledger().add(std::vector<Supply>{{ip, "block", ""}});
      return;
    }
    ledger().drain(std::vector{ip});
    const bool removed = ledger().remove(std::vector{ip}).has_value();
    ASSERT_EQ(removed, address.holder.empty());
    if (removed) address.since = Instant::min();
  }

  void save() {
    ASSERT_TRUE(opened_->store.save(ledger(), now_).has_value());
    saved_ = model_;
  }

  /// The supplier names the same addresses again; all else is as saved.
  void crash() {
    reopen();
    Model revived = saved_;
    for (auto& [ip, address] : revived.addresses) {
      const bool supplied = model_.addresses[ip].supplied;
      address.supplied = supplied;
      if (supplied) {
        ledger().add(std::vector<Supply>{{ip, "block", ""}});
      } else if (address.holder.empty()) {
        ASSERT_TRUE(ledger().remove(std::vector{ip}).has_value());
        address.since = Instant::min();
      }
    }
    model_ = std::move(revived);
    ASSERT_TRUE(opened_->loaded.warnings.empty());
  }

  void reopen() {
    opened_.reset();
    opened_.emplace(
        Store::open({dir_ / "ledger.db", "boot", kOptions}, now_).value());
  }

  std::mt19937 random_;
  tests::TempDir dir_;
  Instant now_ = kStart;
  std::optional<Store::Opened> opened_;
  Model model_;
  Model saved_;
};

void run(unsigned seed) {
  SCOPED_TRACE("LINSEY_SEED=" + std::to_string(seed));
  History history(seed);
  for (int i = 0; i < kOperations; ++i) {
    history.step();
    if (::testing::Test::HasFatalFailure()) return;
    if (i % 16 == 0) history.check();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(LedgerProperty, AFixedHistoryAgreesWithTheModel) {
  run(20260102);
}

TEST(LedgerProperty, ARandomHistoryAgreesWithTheModel) {
  const char* given = std::getenv("LINSEY_SEED");
  const unsigned seed = given != nullptr
                            ? static_cast<unsigned>(std::atoi(given))
                            : std::random_device()();
  std::printf("LINSEY_SEED=%u\n", seed);
  run(seed);
}

}  // namespace
}  // namespace linsey::ipam
