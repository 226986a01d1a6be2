#include "agent/block_survey.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "kube/objects.h"

namespace linsey::agent {
namespace {

const Json* condition(const Json& node, std::string_view type) {
  const Json* status = find_member(node, "status");
  const Json* all =
      status == nullptr ? nullptr : find_member(*status, "conditions");
  if (all == nullptr || !all->is_array()) return nullptr;
  for (const Json& one : *all) {
    if (one.is_object() && one.value("type", "") == type) return &one;
  }
  return nullptr;
}

/// Nothing is known why this node's routes should be missing. It may itself
/// miss those of others.
bool is_well(const Json& node) {
  const Json* ready = condition(node, "Ready");
  if (ready != nullptr && ready->value("status", "") != "True") return false;
  const Json* linsey = condition(node, "LinseyReady");
  if (linsey == nullptr) return true;
  const std::string reason = linsey->value("reason", "");
  return linsey->value("status", "") == "True" &&
         (reason == "LinseyIsUp" || reason == name(Code::kPrefixNotPropagated));
}

bool is_others(const Result<kube::IpBlock>& block, const std::string& self) {
  return block && block->node != self &&
         block->state == kube::BlockState::kConfirmed;
}

}  // namespace

struct BlockSurvey::Order {
  std::string self;
  std::vector<Cidr> suspects;
  bool page = false;
  std::string next;
};

struct BlockSurvey::Answer {
  std::set<Cidr> confirmed;  // of the page, and suspects that still are
  std::set<Cidr> sure;
  std::string next;
  std::size_t bytes = 0;

  Result<Json> get(kube::Client& client, const kube::Resource& type,
                   const std::string& name) {
    Result<Json> object = client.get(type, "", name);
    if (object) bytes += dump_json(*object).size();
    if (!object && object.error().code == Code::kApiNotFound) return Json();
    return object;
  }

  Result<void> ask(kube::Client& client, const std::string& self,
                   const Cidr& suspect) {
    const Result<kube::IpBlock> block = kube::read_block(
        TRY(get(client, kube::kIpBlocks, kube::block_name(suspect))));
    if (!is_others(block, self)) return {};
    confirmed.insert(suspect);
    const Json node = TRY(get(client, kube::kNodes, block->node));
    if (node.is_object() && is_well(node)) sure.insert(suspect);
    return {};
  }

  Result<void> read_page(kube::Client& client, const Order& order) {
    kube::PageOptions options{.limit = kPage, .next = order.next};
    Result<kube::Page> page = client.page(kube::kIpBlocks, "", {}, options);
    if (!page && page.error().code == Code::kApiExpired) {
      options.next.clear();
      page = client.page(kube::kIpBlocks, "", {}, options);
    }
    if (!page) return page.error();
    bytes += page->bytes;
    next = page->next;
    for (const Json& object : page->items) {
      const Result<kube::IpBlock> block = kube::read_block(object);
      if (is_others(block, order.self)) confirmed.insert(block->cidr);
    }
    return {};
  }

  Result<void> carry_out(kube::Client& client, const Order& order) {
    for (const Cidr& suspect : order.suspects) {
      TRY(ask(client, order.self, suspect));
    }
    if (order.page) TRY(read_page(client, order));
    return {};
  }
};

BlockSurvey::BlockSurvey(BlockSurveyDeps deps) : deps_(std::move(deps)) {}

void BlockSurvey::accrue() {
  const Instant now = deps_.clock.now();
  const double hours =
      std::chrono::duration<double, std::ratio<3600>>(now - accrued_).count();
  bytes_ = std::min(kBurstBytes, bytes_ + hours * kBytesPerHour);
  accrued_ = now;
}

OtherBlocks BlockSurvey::sample(const std::vector<Cidr>& suspects) {
  const Instant now = deps_.clock.now();
  if (!std::exchange(started_, true)) {
    accrued_ = now;
    page_due_ =
        now + kSpread * (std::hash<std::string>{}(deps_.node_name) % 100) / 100;
  }
  accrue();
  suspects_ = suspects;
  const bool unasked = std::ranges::any_of(
      suspects_, [this](const Cidr& one) { return !asked_.contains(one); });
  if (bytes_ <= 0) return now_;
  if (now >= page_due_) {
    begin(true);
  } else if (unasked && now >= ask_due_) {
    begin(false);
  }
  return now_;
}

void BlockSurvey::begin(bool page) {
  const Instant now = deps_.clock.now();
  ask_due_ = now + kAskEvery;
  if (page) {
    page_due_ = now + kPageEvery;
    asked_.clear();
  }
  Order order{.self = deps_.node_name,
              .suspects = {},
              .page = page,
              .next = page ? next_ : std::string()};
  for (const Cidr& suspect : suspects_) {
    if (order.suspects.size() == kSuspectsAtOnce) break;
    if (asked_.insert(suspect).second) order.suspects.push_back(suspect);
  }
  // shared_ptr: filled on the worker, read on the loop when that is over.
  const auto answer = std::make_shared<Answer>();
  deps_.writer.submit({.key = "other nodes' blocks",
                       .kind = "survey",
                       .urgency = Urgency::kEvent,
                       .once = true,
                       .call =
                           [answer, order](kube::Client& client) {
                             return answer->carry_out(client, order);
                           },
                       .done =
                           [this, answer, order](const Result<void>& done) {
                             finish(order, *answer, done);
                           }});
}

void BlockSurvey::finish(const Order& order, const Answer& answer,
                         const Result<void>& done) {
  bytes_ -= static_cast<double>(answer.bytes);
  if (!done) return;
  std::set<Cidr> confirmed(answer.confirmed);
  // Not asked about this time: it stays as it was.
  const std::vector<Cidr>& kept = order.page ? suspects_ : now_.confirmed;
  for (const Cidr& one : kept) {
    if (std::ranges::find(order.suspects, one) == order.suspects.end()) {
      confirmed.insert(one);
    }
  }
  for (const Cidr& one : order.suspects) {
    now_.sure.erase(one);
  }
  now_.sure.insert(answer.sure.begin(), answer.sure.end());
  std::erase_if(now_.sure,
                [&](const Cidr& one) { return !confirmed.contains(one); });
  now_.confirmed.assign(confirmed.begin(), confirmed.end());
  if (order.page) next_ = answer.next;
}

void BlockSurvey::read_all(
    std::function<void(const Result<std::vector<Cidr>>&)> done) {
  const auto found = std::make_shared<std::vector<Cidr>>();
  deps_.writer.submit(
      {.key = "all blocks",
       .kind = "survey",
       .urgency = Urgency::kStatus,
       .once = true,
       .call = [found,
                self = deps_.node_name](kube::Client& client) -> Result<void> {
         const kube::List list = TRY(client.list(kube::kIpBlocks, ""));
         for (const Json& object : list.items) {
           const Result<kube::IpBlock> block = kube::read_block(object);
           if (is_others(block, self)) found->push_back(block->cidr);
         }
         return {};
       },
       .done =
           [found, done = std::move(done)](const Result<void>& read) {
             done(read ? Result<std::vector<Cidr>>(*found) : read.error());
           }});
}

}  // namespace linsey::agent
