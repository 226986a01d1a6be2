// Something that listens on a Unix socket and answers each path with the text
// it was told; everything else is answered as the agent answers it.
#pragma once

#include <map>
#include <string>
#include <thread>

#include "base/fd.h"
#include "rpc/http.h"

namespace linsey::tests {

class FakeAgent {
 public:
  FakeAgent(std::string socket, std::map<std::string, rpc::Response> answers);
  ~FakeAgent();
  FakeAgent(const FakeAgent&) = delete;
  FakeAgent& operator=(const FakeAgent&) = delete;

 private:
  void serve();
  void answer(int fd) const;

  std::map<std::string, rpc::Response> answers_;
  UniqueFd listener_;
  std::thread thread_;
};

}  // namespace linsey::tests
