#include "ctl/tar.h"

#include <algorithm>
#include <numeric>

#include <fmt/core.h>

namespace linsey::ctl {
namespace {

constexpr std::size_t kBlock = 512;

void put(std::string& header, std::size_t at, const std::string& text) {
  header.replace(at, text.size(), text);
}

std::string header_of(const std::string& name, std::size_t size) {
  std::string header(kBlock, '\0');
  put(header, 0, name.substr(0, 99));
  put(header, 100, "0000600");
  put(header, 108, "0000000");
  put(header, 116, "0000000");
  put(header, 124, fmt::format("{:011o}", size));
  put(header, 136, "00000000000");
  put(header, 148, "        ");  // of the sum itself, while it is made
  header[156] = '0';
  put(header, 257, "ustar");
  put(header, 263, "00");
  const unsigned sum = std::accumulate(
      header.begin(), header.end(), 0U, [](unsigned total, char c) {
        return total + static_cast<unsigned char>(c);
      });
  put(header, 148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  return header;
}

}  // namespace

std::string tar_of(const std::map<std::string, std::string>& files) {
  std::string out;
  for (const auto& [name, content] : files) {
    out += header_of(name, content.size()) + content;
    out.append((kBlock - content.size() % kBlock) % kBlock, '\0');
  }
  out.append(2 * kBlock, '\0');
  return out;
}

}  // namespace linsey::ctl
