// How lists are asked for and gathered. For this room only.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "netlink/message.h"
#include "netlink/socket.h"

namespace linsey::netlink {

struct MessageFree {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, MessageFree>;

template <typename Header>
Message dump_request(int type, const Header& header) {
  Message message(nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP));
  if (!message) panic("out of memory for a netlink message");
  put_header(message.get(), header);
  return message;
}

template <typename T>
void keep_of_link(std::vector<T>& items, int link_index) {
  if (link_index == 0) return;
  std::erase_if(items, [link_index](const T& item) {
    return item.link_index != link_index;
  });
}

template <typename T, typename Parse>
Result<std::vector<T>> Socket::list(nl_msg* request, const std::string& what,
                                    Parse parse) {
  std::vector<T> items;
  TRY(dump(
      request, what, [&] { items.clear(); },
      [&](const nlmsghdr* message) {
        if (auto item = parse(message)) items.push_back(*std::move(item));
      }));
  return items;
}

}  // namespace linsey::netlink
