#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "lab/prober.h"
#include "lab/service.h"
#include "rpc/client.h"

namespace linsey::lab {
namespace {

using std::chrono::steady_clock;

/// One pod of a request, what to call, and what came of it.
struct Job {
  PodId id;
  CniHost host;
  Sandbox sandbox;
  bool unpublished = false;
  std::optional<Error> failed;
  Attached attached;
  std::chrono::milliseconds took{};
};

PodId pod_id(const Json& json) {
  return {json.value("node", std::string()),
          json.value("namespace", std::string("default")),
          json.value("name", std::string())};
}

std::vector<Json> pods_of(const Json& request) {
  const Json* pods = find_member(request, "pods");
  if (pods == nullptr || !pods->is_array()) return {};
  return {pods->begin(), pods->end()};
}

/// Runs `work` for all jobs that have not failed yet, each on its thread.
void in_parallel(std::vector<Job>& jobs,
                 const std::function<Result<void>(Job&)>& work) {
  std::vector<std::thread> threads;
  for (Job& job : jobs) {
    if (job.failed) continue;
    threads.emplace_back([&job, &work] {
      const auto start = steady_clock::now();
      Result<void> done = work(job);
      if (!done) job.failed = std::move(done).error();
      job.took = std::chrono::duration_cast<std::chrono::milliseconds>(
          steady_clock::now() - start);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

Json addresses_json(const Attached& attached) {
  Json out = Json::array();
  for (const Cidr& cidr : attached.addresses) {
    out.push_back(cidr.addr().to_string());
  }
  return out;
}

Json pod_json(const PodId& id, const Attached& attached) {
  return {{"node", id.node},
          {"namespace", id.name_space},
          {"name", id.name},
          {"addresses", addresses_json(attached)}};
}

Answer job_answer(const std::vector<Job>& jobs) {
  Json out = Json::array();
  for (const Job& job : jobs) {
    Json entry = pod_json(job.id, job.attached);
    entry["containerId"] = job.sandbox.container_id;
    entry["ms"] = job.took.count();
    if (job.failed) {
      entry["error"] = {{"code", name(job.failed->code)},
                        {"msg", job.failed->msg},
                        {"details", job.failed->details}};
    }
    out.push_back(std::move(entry));
  }
  return {std::make_shared<const Json>(std::move(out)), {}};
}

/// Fills host and sandbox of a job from `prepare`, which runs at the desk.
void prepare_job(Job& job, World& world,
                 const std::function<Result<Sandbox>()>& prepare) {
  const Result<Node*> node = world.node(job.id.node);
  if (!node) {
    job.failed = node.error();
    return;
  }
  job.host = world.cni_host(**node, job.unpublished);
  Result<Sandbox> sandbox = prepare();
  if (sandbox) {
    job.sandbox = std::move(sandbox).value();
  } else {
    job.failed = sandbox.error();
  }
}

/// The block, or vSwitch and ENI, that a pod's address came from, as its agent
/// has it; empty when the agent does not answer.
std::string source_of(const std::string& socket,
                      const std::string& container_id) {
  rpc::Client agent({.socket = socket,
                     .connect_wait = std::chrono::seconds(0),
                     .timeout = std::chrono::seconds(2)});
  const Result<ipam::Held> held = agent.check({"linsey", container_id, "eth0"});
  return held ? held->allocation.source : std::string();
}

}  // namespace

Result<Answer> Service::pod_add(const Json& request, const Progress&) {
  std::vector<Job> jobs;
  desk_.ask([&] {
    for (const Json& entry : pods_of(request)) {
      Job& job = jobs.emplace_back();
      job.id = pod_id(entry);
      job.unpublished = request.value("unpublished", false);
      const Json* wanted = find_member(entry, "capabilities");
      const std::string capabilities = wanted ? dump_json(*wanted) : "{}";
      prepare_job(job, world_,
                  [&] { return world_.make_pod(job.id, capabilities); });
    }
  });
  in_parallel(jobs, [](Job& job) -> Result<void> {
    job.attached = TRY(CniRunner(job.host).add(job.sandbox));
    return {};
  });
  desk_.ask([&] {
    for (const Job& job : jobs) {
      if (!job.failed) {
        world_.settle_pod(job.id, job.attached);
      } else if (!job.sandbox.container_id.empty()) {
        world_.forget_pod(job.id);
      }
    }
  });
  return job_answer(jobs);
}

Result<Answer> Service::pod_del(const Json& request, const Progress&) {
  std::vector<Job> jobs;
  desk_.ask([&] {
    for (const Json& entry : pods_of(request)) {
      Job& job = jobs.emplace_back();
      job.id = pod_id(entry);
      job.unpublished = request.value("unpublished", false);
      prepare_job(job, world_, [&] { return world_.use_pod(job.id); });
    }
  });
  in_parallel(jobs,
              [](Job& job) { return CniRunner(job.host).del(job.sandbox); });
  desk_.ask([&] {
    for (const Job& job : jobs) {
      if (!job.failed) {
        world_.forget_pod(job.id);
      } else if (!job.sandbox.container_id.empty()) {
        world_.settle_pod(job.id);  // still there, can be tried again
      }
    }
  });
  return job_answer(jobs);
}

Result<Answer> Service::pod_check(const Json& request, const Progress&) {
  std::vector<Job> jobs;
  desk_.ask([&] {
    for (const Json& entry : pods_of(request)) {
      Job& job = jobs.emplace_back();
      job.id = pod_id(entry);
      job.unpublished = request.value("unpublished", false);
      prepare_job(job, world_, [&] { return world_.use_pod(job.id); });
    }
  });
  in_parallel(jobs,
              [](Job& job) { return CniRunner(job.host).check(job.sandbox); });
  desk_.ask([&] {
    for (const Job& job : jobs) {
      if (!job.sandbox.container_id.empty()) world_.settle_pod(job.id);
    }
  });
  return job_answer(jobs);
}

Result<Answer> Service::pod_list(const Json&, const Progress&) {
  Json out = Json::array();
  std::vector<std::string> sockets;
  desk_.ask([&] {
    for (const auto& [id, pod] : world_.pods()) {
      Json entry = pod_json(id, pod.attached);
      entry["containerId"] = pod.container_id;
      entry["netns"] = pod.ns.path();
      out.push_back(std::move(entry));
      sockets.push_back(world_.nodes().at(id.node)->paths().socket());
    }
  });
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    out[i]["source"] = source_of(sockets[i], out[i]["containerId"]);
  }
  return Answer{std::make_shared<const Json>(std::move(out)), {}};
}

/// Every pod and every node that has pods, each with each.
Result<Answer> Service::matrix(const Json& request, const Progress&) {
  std::vector<Endpoint> endpoints;
  TRY(desk_.ask([&]() -> Result<void> {
    std::set<std::string> nodes;
    for (const auto& [id, pod] : world_.pods()) {
      if (pod.busy) continue;
      std::vector<IpAddr> addresses;
      for (const Cidr& cidr : pod.attached.addresses) {
        addresses.push_back(cidr.addr());
      }
      endpoints.push_back({id.node + "/" + id.name, std::move(addresses),
                           TRY(netlink::NetNs::open(pod.ns.path()))});
      nodes.insert(id.node);
    }
    for (const std::string& name : nodes) {
      const Node* node = TRY(world_.node(name));
      std::vector<IpAddr> addresses{node->spec().address};
      if (node->spec().site == Site::kCloud && node->spec().address6) {
        addresses.push_back(*node->spec().address6);
      }
      endpoints.push_back({name, std::move(addresses),
                           TRY(netlink::NetNs::open(node->ns().path()))});
    }
    return {};
  }));
  SweepOptions options;
  // Thousands of pairs at once are slow on a machine with other work.
  if (endpoints.size() > 64) options.limit = std::chrono::seconds(30);
  options.limit = std::chrono::milliseconds(
      request.value("timeoutMs", options.limit.count()));
  Json out = Json::array();
  for (const Probe& probe : TRY(sweep(endpoints, options))) {
    out.push_back({{"from", probe.from},
                   {"to", probe.to},
                   {"address", probe.address.to_string()},
                   {"icmp", probe.icmp},
                   {"tcp", probe.tcp},
                   {"icmpUs", probe.icmp_time.count()},
                   {"tcpUs", probe.tcp_time.count()},
                   {"error", probe.error}});
  }
  return Answer{std::make_shared<const Json>(std::move(out)), {}};
}

}  // namespace linsey::lab
