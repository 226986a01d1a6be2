#include "netlink/socket.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "netlink/message.h"

namespace linsey::netlink {
namespace {

// The kernel fills at most 32 KiB a read.
constexpr std::size_t kBufferSize = std::size_t{32} << 10;
constexpr int kDumpTries = 5;

const char* errno_text(int number) {
  const char* text = strerrordesc_np(number);
  return text == nullptr ? "unknown error" : text;
}

Code code_of(int number, int request_type) {
  if (number == EEXIST && request_type == RTM_NEWLINK) {
    return Code::kInterfaceExists;
  }
  if (number == EPERM || number == EACCES) return Code::kPermission;
  return Code::kKernel;
}

/// The kernel's own words about an error, behind the nlmsgerr.
std::string extended_text(const nlmsghdr* message, const nlmsgerr* error) {
  if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  std::size_t size = sizeof *error;
  if ((message->nlmsg_flags & NLM_F_CAPPED) == 0) {
    size += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(nlmsghdr);
  }
  const Attributes<NLMSGERR_ATTR_MAX> attributes(message, size);
  return attributes.text(NLMSGERR_ATTR_MSG);
}

Error kernel_error(int number, const std::string& what,
                   const std::string& extended, int request_type) {
  std::string text = what + ": ";
  if (!extended.empty()) text += extended + ": ";
  text += errno_text(number);
  return {code_of(number, request_type), std::move(text),
          fmt::format("errno {}", number)};
}

struct Answer {
  int number = 0;  // errno, 0 for an acknowledgement
  std::string extended;
};

std::optional<Answer> parse_answer(const nlmsghdr* message) {
  if (nlmsg_valid_hdr(message, sizeof(nlmsgerr)) == 0) return std::nullopt;
  const auto* error = static_cast<const nlmsgerr*>(nlmsg_data(message));
  return Answer{-error->error, error->error == 0
                                   ? std::string()
                                   : extended_text(message, error)};
}

/// Calls `fn` for each message of a datagram.
template <typename Fn>
void for_each_message(char* buffer, std::size_t size, Fn fn) {
  auto* message = reinterpret_cast<nlmsghdr*>(buffer);
  int rest = static_cast<int>(size);
  for (; nlmsg_ok(message, rest) != 0; message = nlmsg_next(message, &rest)) {
    fn(message);
  }
}

}  // namespace

Socket::Socket(UniqueFd fd)
    : fd_(std::move(fd)), buffer_(new char[kBufferSize]) {}

Result<Socket> Socket::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return errno_error(errno, "open a netlink socket", Code::kKernel);
  const int on = 1;
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK}) {
    if (::setsockopt(fd.get(), SOL_NETLINK, option, &on, sizeof on) != 0) {
      return errno_error(errno, "ask for extended acks",
                         Code::kKernelFeatureMissing);
    }
  }
  // Kernels before 4.20 do not filter; list() does it again in any case.
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
                     sizeof on);
  return Socket(std::move(fd));
}

Result<Socket> Socket::open_in(const NetNs& ns) {
  const NetNs own = TRY(NetNs::current());
  if (::setns(ns.fd(), CLONE_NEWNET) != 0) {
    return errno_error(errno, "enter network namespace (CAP_SYS_ADMIN)",
                       Code::kInvalidNetns);
  }
  Result<Socket> socket = open();
  if (::setns(own.fd(), CLONE_NEWNET) != 0) {
    panic("cannot return to the own network namespace");
  }
  return socket;
}

Result<std::size_t> Socket::receive(const std::string& what) {
  while (true) {
    const ssize_t size =
        ::recv(fd_.get(), buffer_.get(), kBufferSize, MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error(errno, what, Code::kKernel);
    if (static_cast<std::size_t>(size) > kBufferSize) {
      return make_error(Code::kKernel, "{}: answer of {} bytes is too long",
                        what, size);
    }
    return static_cast<std::size_t>(size);
  }
}

/// What the answers to a batch have said so far.
struct Socket::Collected {
  std::uint32_t first = 0;
  bool finished = false;
  std::optional<Error> error;
};

Result<void> Socket::send(Batch& batch) {
  std::vector<iovec> parts;
  parts.reserve(batch.size());
  for (Batch::Step& step : batch.steps_) {
    nlmsghdr* header = nlmsg_hdr(step.message.get());
    header->nlmsg_seq = sequence_++;
    parts.push_back({header, NLMSG_ALIGN(header->nlmsg_len)});
  }
  nlmsg_hdr(batch.steps_.back().message.get())->nlmsg_flags |= NLM_F_ACK;
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  while (::sendmsg(fd_.get(), &message, 0) < 0) {
    if (errno != EINTR) {
      return errno_error(errno, batch.steps_.front().what(), Code::kKernel);
    }
  }
  return {};
}

Result<void> Socket::collect(Batch& batch, Collected& collected) {
  const std::size_t count = batch.size();
  const std::size_t size = TRY(receive(batch.steps_.back().what()));
  for_each_message(buffer_.get(), size, [&](const nlmsghdr* message) {
    const std::size_t index = message->nlmsg_seq - collected.first;
    if (index >= count) return;  // of an earlier, abandoned request
    Batch::Step& step = batch.steps_[index];
    if (message->nlmsg_type == RTM_NEWLINK && step.link_out != nullptr) {
      *step.link_out = parse_link(message);
    }
    if (message->nlmsg_type != NLMSG_ERROR) return;
    if (index + 1 == count) collected.finished = true;
    const auto answer = parse_answer(message);
    if (!answer || answer->number == 0 ||
        std::ranges::count(step.tolerated, answer->number) != 0) {
      return;
    }
    Error error = kernel_error(answer->number, step.what(), answer->extended,
                               nlmsg_hdr(step.message.get())->nlmsg_type);
    error.details += fmt::format(" at step {} of {}", index + 1, count);
    if (!collected.error) {
      collected.error = std::move(error);
    } else {
      collected.error->details += "; " + error.msg;
    }
  });
  return {};
}

Result<void> Socket::run(Batch& batch) {
  if (batch.empty()) return {};
  Collected collected;
  collected.first = sequence_;
  TRY(send(batch));
  while (!collected.finished)
    TRY(collect(batch, collected));
  batch.steps_.clear();
  if (collected.error) return *std::move(collected.error);
  return {};
}

Result<void> Socket::dump(nl_msg* request, const std::string& what,
                          const std::function<void()>& on_start,
                          const OnMessage& on_message) {
  nlmsghdr* header = nlmsg_hdr(request);
  for (int tries = 0; tries < kDumpTries; ++tries) {
    header->nlmsg_seq = sequence_++;
    on_start();
    if (::send(fd_.get(), header, header->nlmsg_len, 0) < 0) {
      return errno_error(errno, what, Code::kKernel);
    }
    bool done = false;
    bool interrupted = false;
    Answer answer;
    while (!done) {
      const std::size_t size = TRY(receive(what));
      for_each_message(buffer_.get(), size, [&](const nlmsghdr* message) {
        if (message->nlmsg_seq != header->nlmsg_seq) return;
        interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        done |= message->nlmsg_type == NLMSG_DONE ||
                message->nlmsg_type == NLMSG_ERROR;
        if (message->nlmsg_type == NLMSG_ERROR) {
          answer = parse_answer(message).value_or(Answer{EPROTO, {}});
        }
        if (!done) on_message(message);
      });
    }
    // A table or a link that is not there has nothing to list.
    if (answer.number == ENOENT || answer.number == ENODEV) return {};
    if (answer.number != 0) {
      return kernel_error(answer.number, what, answer.extended, 0);
    }
    if (!interrupted) return {};
  }
  return make_error(Code::kKernel,
                    "{}: interrupted {} times by changes; try again", what,
                    kDumpTries);
}

}  // namespace linsey::netlink
