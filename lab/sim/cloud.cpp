#include "lab/sim/cloud.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "lab/sim/actions.h"
#include "lab/sim/key_ring.h"
#include "lab/sim/region.h"
#include "lab/sim/throttle.h"
#include "lab/sim/wall_time.h"

namespace linsey::sim {
namespace {

/// What a ClientToken stands for.
struct Remembered {
  std::map<std::string, std::string> params;
  Json body;
  Instant ready{0};
  bool failed = false;
};

Result<void> built(const std::string& problem) {
  if (problem.empty()) return {};
  return make_error(Code::kInvalidConfig, "simulated cloud: {}", problem);
}

}  // namespace

struct Cloud::State {
  explicit State(const CloudSpec& spec)
      : region(spec.seed), ring(spec.seed ^ 0x5eed), random(spec.seed + 1) {}

  std::mutex mutex;  // everything below but `order`
  Region region;
  KeyRing ring;
  Hooks hooks;
  std::vector<CallRecord> calls;
  std::map<std::string, MinuteCount> minutes;
  std::map<std::string, Remembered> tokens;
  std::mt19937_64 random;

  std::mutex order;  // held while hooks run, so that they run in order

  std::string request_id() {
    const std::uint64_t a = random();
    const std::uint64_t b = random();
    return fmt::format("{:08X}-{:04X}-{:04X}-{:04X}-{:012X}", a >> 32,
                       (a >> 16) & 0xffff, a & 0xffff, b >> 48,
                       b & 0xffffffffffff);
  }
  Fault admit(const Call& call, const ActionEntry* entry, WallTime wall,
              std::map<std::string, std::string>& headers);
  Fault remembered(const Call& call, const std::string& token, Instant now,
                   Json& body);
  Fault perform(const Call& call, const ActionEntry& entry, Desk& desk,
                Json& body);
  Fault serve(const Call& call, Desk& desk, const Clock& clock, Reply& reply,
              Json& body);
  void close(const Call& call, const Fault& fault, const std::string& region_id,
             Json body, Reply& reply);
};

/// Whether the call gets as far as the action.
Fault Cloud::State::admit(const Call& call, const ActionEntry* entry,
                          WallTime wall,
                          std::map<std::string, std::string>& headers) {
  if (entry == nullptr) {
    return {404, "InvalidApi.NotFound",
            fmt::format("The specified API \"{}\" of {} is not found.",
                        call.action, call.product)};
  }
  ActionKnobs& knobs = region.knobs.actions[call.action];
  Fault over = throttled(knobs, minutes[call.action], wall, headers);
  if (over) return over;
  if (knobs.denied || !ring.may(call.caller, call.product, call.action)) {
    return {403, "Forbidden.RAM",
            "User not authorized to operate on the specified resource, or "
            "this API doesn't support RAM."};
  }
  if (!knobs.refuse.empty()) {
    Fault fault = knobs.refuse.front();
    knobs.refuse.erase(knobs.refuse.begin());
    return fault;
  }
  return {};
}

/// An empty fault with an empty body: nothing is remembered.
Fault Cloud::State::remembered(const Call& call, const std::string& token,
                               Instant now, Json& body) {
  const auto found = tokens.find(token);
  if (found == tokens.end()) return {};
  const Remembered& first = found->second;
  if (first.params != call.params) {
    return {400, "IdempotentParameterMismatch",
            "The specified parameter has changed while using an already used "
            "clientToken."};
  }
  if (first.failed) {
    return {400, "IdempotentFailed",
            "The first request with this clientToken failed."};
  }
  if (now < first.ready) {
    return {403, "IdempotentProcessing",
            "The previous idempotent request(s) is still processing."};
  }
  body = first.body;
  return {};
}

Fault Cloud::State::perform(const Call& call, const ActionEntry& entry,
                            Desk& desk, Json& body) {
  const auto token = call.params.find("ClientToken");
  const bool keep =
      entry.takes_token && token != call.params.end() && !token->second.empty();
  const std::string key =
      keep ? call.action + "/" + token->second : std::string();
  if (keep) {
    Fault fault = remembered(call, key, desk.now, body);
    if (fault || !body.empty()) return fault;
  }
  Params params(call.params, entry.missing_status);
  Fault fault = entry.run(desk, params, body);
  if (keep && (!fault || region.knobs.remember_failures)) {
    const Duration latency = region.knobs.actions[call.action].reply_latency;
    tokens[key] = {call.params, body, desk.now + latency, bool(fault)};
  }
  return fault;
}

Cloud::Cloud(const Clock& clock, CloudSpec spec)
    : clock_(clock),
      spec_(std::move(spec)),
      state_(std::make_unique<State>(spec_)) {}

Cloud::~Cloud() = default;

Result<void> Cloud::add(const VpcSpec& vpc) {
  const std::lock_guard lock(state_->mutex);
  return built(state_->region.add(vpc));
}

Result<void> Cloud::add(const VSwitchSpec& v_switch) {
  const std::lock_guard lock(state_->mutex);
  return built(state_->region.add(v_switch));
}

Result<void> Cloud::add(const SecurityGroupSpec& group) {
  const std::lock_guard lock(state_->mutex);
  return built(state_->region.add(group));
}

Result<void> Cloud::add(const InstanceTypeSpec& type) {
  const std::lock_guard lock(state_->mutex);
  return built(state_->region.add(type));
}

Result<void> Cloud::add(const InstanceSpec& instance) {
  const std::lock_guard lock(state_->mutex);
  return built(state_->region.add(instance, clock_.now()));
}

void Cloud::add(AccessKey key) {
  const std::lock_guard lock(state_->mutex);
  state_->ring.add(std::move(key));
}

void Cloud::add(OidcTrust trust) {
  const std::lock_guard lock(state_->mutex);
  state_->ring.add(std::move(trust));
}

Result<void> Cloud::release_instance(const std::string& id) {
  Result<void> done;
  {
    const std::lock_guard lock(state_->mutex);
    done = built(state_->region.release_instance(id));
    state_->ring.forget_role(id);
  }
  deliver_events();
  return done;
}

Result<void> Cloud::set_instance_status(const std::string& id,
                                        const std::string& status) {
  const std::lock_guard lock(state_->mutex);
  return built(state_->region.set_status(id, status));
}

void Cloud::set_hooks(Hooks hooks) {
  const std::lock_guard lock(state_->mutex);
  state_->hooks = std::move(hooks);
}

void Cloud::tune(const std::function<void(Knobs&)>& change) {
  const std::lock_guard lock(state_->mutex);
  change(state_->region.knobs);
}

/// Performs the call unless a knob is in the way; `reply` learns of delay and
/// loss.
void Cloud::go_on() {
  const std::lock_guard lock(state_->mutex);
  state_->region.go_on(clock_.now());
}

Fault Cloud::State::serve(const Call& call, Desk& desk, const Clock& clock,
                          Reply& reply, Json& body) {
  ActionKnobs& knobs = region.knobs.actions[call.action];
  reply.delay = knobs.reply_latency;
  if (knobs.lose_requests > 0) {
    --knobs.lose_requests;
    reply.drop = true;
    return {};
  }
  const ActionEntry* entry = find_action(call.product, call.action);
  Fault fault = admit(call, entry, clock.wall(), reply.headers);
  if (!fault) fault = perform(call, *entry, desk, body);
  if (knobs.lose_replies > 0) {
    --knobs.lose_replies;
    reply.drop = true;
  }
  return fault;
}

/// Completes the reply and writes the record.
void Cloud::State::close(const Call& call, const Fault& fault,
                         const std::string& region_id, Json body,
                         Reply& reply) {
  reply.request_id = request_id();
  body["RequestId"] = reply.request_id;
  if (fault) body = fault_json(fault, reply.request_id, region_id);
  reply.status = fault ? fault.status : 200;
  reply.code = fault.code;
  reply.body = dump_json(body);
  calls.push_back({call.product, call.action, call.params, call.caller,
                   reply.request_id, reply.status, reply.code});
}

Reply Cloud::call(const Call& call) {
  Reply reply;
  {
    const std::lock_guard lock(state_->mutex);
    const Instant now = clock_.now();
    state_->region.advance(now);
    Desk desk{state_->region, state_->ring, spec_.region,
              spec_.account,  now,          clock_.wall()};
    Json body = Json::object();
    Fault fault = state_->serve(call, desk, clock_, reply, body);
    state_->close(call, fault, spec_.region, std::move(body), reply);
    state_->region.advance(now);
  }
  deliver_events();
  return reply;
}

Reply Cloud::refuse(const Call& call, const Fault& fault) {
  const std::lock_guard lock(state_->mutex);
  Reply reply;
  state_->close(call, fault, spec_.region, Json::object(), reply);
  return reply;
}

std::optional<Duration> Cloud::advance() {
  std::optional<Duration> left;
  {
    const std::lock_guard lock(state_->mutex);
    const Instant now = clock_.now();
    const std::optional<Instant> next = state_->region.advance(now);
    if (next) left = std::max(*next - now, Duration(0));
  }
  deliver_events();
  return left;
}

void Cloud::deliver_events() {
  const std::lock_guard order(state_->order);
  std::vector<EniEvent> events;
  Hooks hooks;
  {
    const std::lock_guard lock(state_->mutex);
    events = state_->region.take_events();
    hooks = state_->hooks;
  }
  for (const EniEvent& event : events) {
    using Kind = EniEvent::Kind;
    const auto& hook = event.kind == Kind::kAttached ? hooks.attached
                       : event.kind == Kind::kDetached
                           ? hooks.detached
                           : hooks.addresses_changed;
    if (hook) hook(event.eni);
  }
}

std::vector<CallRecord> Cloud::calls() const {
  const std::lock_guard lock(state_->mutex);
  return state_->calls;
}

std::size_t Cloud::count(const std::string& action) const {
  const std::lock_guard lock(state_->mutex);
  const auto count = std::count_if(
      state_->calls.begin(), state_->calls.end(),
      [&](const CallRecord& call) { return call.action == action; });
  return static_cast<std::size_t>(count);
}

void Cloud::forget_calls() {
  const std::lock_guard lock(state_->mutex);
  state_->calls.clear();
}

std::vector<BookLine> Cloud::books() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<BookLine> lines;
  for (const auto& [id, eni] : state_->region.enis()) {
    for (const EniAddress& address : eni.addresses) {
      lines.push_back({address.ip, id, eni.instance, eni.v_switch,
                       address.ip == eni.addresses.front().ip});
    }
  }
  std::sort(lines.begin(), lines.end(),
            [](const BookLine& a, const BookLine& b) {
              return std::tie(a.address, a.eni) < std::tie(b.address, b.eni);
            });
  return lines;
}

std::vector<EniView> Cloud::enis() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<EniView> views;
  for (const auto& [id, eni] : state_->region.enis()) {
    views.push_back(view(eni));
  }
  return views;
}

std::optional<std::uint64_t> Cloud::free_addresses(
    const std::string& v_switch) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->region.v_switches().find(v_switch);
  if (found == state_->region.v_switches().end()) return std::nullopt;
  return state_->region.free_v4(found->second);
}

std::optional<AccessKey> Cloud::find_key(const std::string& id) const {
  const std::lock_guard lock(state_->mutex);
  return state_->ring.find(id);
}

bool Cloud::use_nonce(const std::string& key, const std::string& nonce) {
  const std::lock_guard lock(state_->mutex);
  return state_->ring.use_nonce(key, nonce);
}

std::optional<RoleCredentials> Cloud::role_credentials(
    const std::string& instance) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->region.instances().find(instance);
  if (found == state_->region.instances().end()) return std::nullopt;
  return state_->ring.role(found->second.spec, clock_.wall());
}

void Cloud::rotate_role(const std::string& instance, Duration overlap) {
  const std::lock_guard lock(state_->mutex);
  state_->ring.rotate_role(instance, clock_.wall(), overlap);
}

void Cloud::read(const std::function<void(const Region&, Instant)>& look) {
  {
    const std::lock_guard lock(state_->mutex);
    const Instant now = clock_.now();
    state_->region.advance(now);
    look(state_->region, now);
  }
  deliver_events();
}

}  // namespace linsey::sim
