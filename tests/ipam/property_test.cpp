// Random histories of the ledger and its store against a small model. A
// failure prints its seed; run again with LINSEY_SEED=N. LINSEY_SHOW_FULL=1
// makes them ten times as long.
#include <algorithm>
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "ipam/store.h"
#include "tests/ipam/make.h"
#include "tests/support/temp_dir.h"

namespace linsey::ipam {
namespace {

using std::chrono_literals::operator""s;  // NOLINT(misc-unused-using-decls)
using std::chrono_literals::operator""h;  // NOLINT(misc-unused-using-decls)
using tests::key;
using tests::kStart;

constexpr LedgerOptions kOptions{.cool_down = 30s, .cool_down_min = 5s};
constexpr int kOperations = 100000;
constexpr int kPods = 40;

/// What must be true, in as few words as possible: addresses in a map, picked
/// by a linear search.
struct Model {
  struct Address {
    bool known = false;
    bool supplied = false;
    bool reserved = false;
    std::string holder;
    Instant since = Instant::min();

    bool idle() const { return holder.empty() && !reserved; }
    bool cooled(Duration cool_down, Instant now) const {
      return since == Instant::min() || since + cool_down <= now;
    }
  };
  std::map<IpAddr, Address> addresses;
  std::set<std::string> stale;

  std::vector<IpAddr> held_by(const std::string& id) const {
    std::vector<IpAddr> result;
    for (const auto& [ip, address] : addresses) {
      if (address.holder == id) result.push_back(ip);
    }
    return result;
  }
  bool may_be_given(const Address& address, Instant now) const {
    return address.known && address.supplied && address.idle() &&
           address.cooled(kOptions.cool_down_min, now);
  }
  std::optional<IpAddr> longest_free(Family family, Instant now) const {
    std::optional<IpAddr> best;
    for (const auto& [ip, address] : addresses) {
      if (ip.family() != family || !may_be_given(address, now)) continue;
      if (!best || address.since < addresses.at(*best).since) best = ip;
    }
    return best;
  }
  Counts counts(Instant now) const {
    Counts counts;
    for (const auto& [ip, address] : addresses) {
      if (!address.known) continue;
      if (!address.holder.empty()) {
        ++counts.held;
      } else if (address.reserved) {
        ++counts.reserved;
      } else if (!address.supplied) {
        ++counts.draining;
      } else if (address.cooled(kOptions.cool_down, now)) {
        ++counts.free;
      } else {
        ++counts.cooling;
      }
    }
    return counts;
  }
  void free(const std::string& id, Instant now) {
    for (const IpAddr& ip : held_by(id)) {
      addresses[ip].holder.clear();
      addresses[ip].since = now;
    }
    stale.erase(id);
  }
  void forget(const IpAddr& ip) { addresses[ip] = {}; }
};

class History {
 public:
  explicit History(unsigned seed) : random_(seed) {
    reopen();
    for (const auto& list :
         {tests::supply("10.0.0.0", 24), tests::supply("fd00::", 16)}) {
      for (const Supply& item : list) {
        model_.addresses[item.address] = {};
        add(item.address);
      }
    }
    save();
  }

  void step() {
    struct Kind {
      const char* name;
      unsigned weight;
      void (History::*run)();
    };
    static constexpr auto kKinds = std::to_array<Kind>({
        {"assign", 380, &History::assign},
        {"assign wanted", 40, &History::assign_wanted},
        {"release", 380, &History::release},
        {"GC", 20, &History::gc},
        {"add", 50, &History::add_one},
        {"drain", 20, &History::drain},
        {"remove", 20, &History::remove},
        {"hold from kernel", 20, &History::hold},
        {"end of a reservation", 20, &History::unreserve},
        {"confirm", 10, &History::confirm},
        {"save", 30, &History::save},
        {"crash", 4, &History::crash},
        {"reboot", 2, &History::reboot},
        {"clock step", 4, &History::step_clock},
    });
    now_ += Duration(1 + random_() % 2000000000);
    std::uint64_t what = random_() % 1000;
    for (const Kind& kind : kKinds) {
      if (what < kind.weight) {
        (this->*kind.run)();
        ++counts_[kind.name];
        return;
      }
      what -= kind.weight;
    }
  }

  void check() {
    const Result<void> sound = ledger().check_invariants();
    ASSERT_TRUE(sound.has_value()) << sound.error().msg;
    for (const auto& [ip, address] : model_.addresses) {
      const AttachmentKey* holder = ledger().holder(ip);
      ASSERT_EQ(holder == nullptr ? "" : holder->container_id, address.holder)
          << ip.to_string();
      const std::optional<AddressRow> row = ledger().row(ip, now_);
      ASSERT_EQ(row.has_value(), address.known) << ip.to_string();
      if (!row) continue;
      ASSERT_EQ(row->since.value_or(Instant::min()), address.since);
    }
    ASSERT_EQ(ledger().counts(now_), model_.counts(now_));
    std::set<std::string> stale;
    for (const AttachmentKey& key : ledger().stale()) {
      stale.insert(key.container_id);
    }
    ASSERT_EQ(stale, model_.stale);
  }

  void print() const {
    std::string text;
    for (const auto& [name, count] : counts_) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
    }
    std::printf("%s\n", text.c_str());
  }

 private:
  Ledger& ledger() { return opened_->loaded.ledger; }
  std::string random_id() { return std::to_string(1 + random_() % kPods); }
  IpAddr random_address() {
    auto it = model_.addresses.begin();
    std::advance(it, random_() % model_.addresses.size());
    return it->first;
  }

  void assign() { assign_with(std::nullopt); }
  void assign_wanted() { assign_with(random_address()); }
  void assign_with(const std::optional<IpAddr>& wanted) {
    const std::string id = random_id();
    auto wish = tests::request(id);
    if (random_() % 2 == 0) wish.families.push_back(Family::kV6);
    if (wanted) wish.attachment.wanted_ips = {*wanted};
    wish.asked_at = now_;
    std::vector<IpAddr> expected = model_.held_by(id);
    const bool is_new = expected.empty();
    bool possible = true;
    if (is_new && wanted) {
      expected.push_back(*wanted);
      possible = model_.may_be_given(model_.addresses[*wanted], now_);
    }
    for (const Family family : wish.families) {
      if (!is_new || (wanted && wanted->family() == family)) continue;
      const auto best = model_.longest_free(family, now_);
      possible = possible && best.has_value();
      if (best) expected.push_back(*best);
    }
    std::sort(expected.begin(), expected.end());
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
    model_.free(id, now_);
  }

  void gc() {
    std::set<AttachmentKey> keep;
    for (int pod = 1; pod <= kPods; ++pod) {
      const std::string id = std::to_string(pod);
      if (random_() % 8 != 0) {
        keep.insert(key(id));
      } else {
        model_.free(id, now_);
      }
    }
    (void)ledger().release_all_but("net1", keep, now_);
  }

  void add_one() { add(random_address()); }
  void add(const IpAddr& ip) {
    Model::Address& address = model_.addresses[ip];
    address.known = address.supplied = true;
    ledger().add(std::vector<Supply>{{ip, "block", ""}});
  }
  void drain() {
    const IpAddr ip = random_address();
    model_.addresses[ip].supplied = false;
    ledger().drain(std::vector{ip});
  }
  void remove() {
    const IpAddr ip = random_address();
    const bool removed = ledger().remove(std::vector{ip}).has_value();
    ASSERT_EQ(removed, model_.addresses[ip].idle());
    if (removed) model_.forget(ip);
  }

  void hold() {
    const IpAddr ip = random_address();
    Model::Address& address = model_.addresses[ip];
    const bool with_key = random_() % 2 == 0;
    const std::string id = random_id();
    const bool possible =
        address.holder.empty() || !with_key || address.holder == id;
    const auto holder = with_key ? std::optional(key(id)) : std::nullopt;
    ASSERT_EQ(ledger().hold_from_kernel(ip, holder, "cali1").has_value(),
              possible);
    if (!address.holder.empty()) return;
    address.known = true;
    address.reserved = !with_key;
    if (with_key) address.holder = id;
  }
  void unreserve() {
    const IpAddr ip = random_address();
    ledger().release_reserved(ip, now_);
    Model::Address& address = model_.addresses[ip];
    if (!address.reserved) return;
    address.reserved = false;
    address.since = now_;
  }
  void confirm() {
    const std::string id = random_id();
    ledger().confirm(key(id));
    model_.stale.erase(id);
  }

  void save() {
    if (ledger().dirty()) {
      saved_at_ = now_;
      saved_boot_ = boot_;
    }
    ASSERT_TRUE(opened_->store.save(ledger(), now_).has_value());
    saved_ = model_;
  }

  /// All is as saved, and drains until the supplier names it again.
  void crash() {
    if (random_() % 4 == 0) now_ -= 20s;
    reload();
  }
  void reboot() {
    now_ = 5s;
    ++boot_;
    reload();
  }
  void step_clock() {
    now_ += random_() % 4 == 0 ? Duration(5h) : Duration(40s);
  }

  void reload() {
    reopen();
    ASSERT_TRUE(opened_->loaded.warnings.empty())
        << opened_->loaded.warnings[0].msg;
    const bool same_boot = boot_ == saved_boot_;
    Model revived = saved_;
    for (auto& [ip, address] : revived.addresses) {
      if (!same_boot && address.reserved) {
        address.reserved = false;
        address.since = saved_at_;
      }
      if (address.since != Instant::min()) {
        address.since = revive(address.since, same_boot);
      }
      if (!same_boot && !address.holder.empty()) {
        revived.stale.insert(address.holder);
      }
      address.supplied = false;
    }
    const Model before = std::exchange(model_, std::move(revived));
    for (const auto& [ip, address] : before.addresses) {
      if (address.supplied) add(ip);
    }
  }
  Instant revive(Instant since, bool same_boot) const {
    if (same_boot) return std::min(since, now_);
    if (since + kOptions.cool_down > saved_at_) return now_;
    return since - saved_at_;
  }

  void reopen() {
    opened_.reset();
    opened_.emplace(Store::open({dir_ / "ledger.db",
                                 "boot-" + std::to_string(boot_), kOptions},
                                now_)
                        .value());
  }

  std::mt19937 random_;
  tests::TempDir dir_;
  Instant now_ = kStart;
  int boot_ = 1;
  std::optional<Store::Opened> opened_;
  Model model_;
  Model saved_;
  Instant saved_at_{};
  int saved_boot_ = 1;
  std::map<std::string, int> counts_;
};

void run(unsigned seed) {
  SCOPED_TRACE("LINSEY_SEED=" + std::to_string(seed));
  const char* full = std::getenv("LINSEY_SHOW_FULL");
  const int operations =
      full != nullptr && *full != '\0' ? 10 * kOperations : kOperations;
  History history(seed);
  for (int i = 0; i < operations; ++i) {
    history.step();
    if (::testing::Test::HasFatalFailure()) return;
    if (i % 16 == 0) history.check();
    if (::testing::Test::HasFatalFailure()) return;
  }
  std::printf("%d operations, 0 violations: ", operations);
  history.print();
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
