#include "kube/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include <curl/curl.h>

namespace linsey::kube {
namespace {

constexpr std::size_t kBodyLimit = std::size_t{64} << 20;
constexpr std::size_t kLineLimit = std::size_t{8} << 20;

struct Exchange {
  Response response;
  const std::function<bool(std::string_view)>* on_line = nullptr;
  const std::atomic<bool>* stop = nullptr;
  const std::atomic<bool>* aborted = nullptr;
  std::atomic<std::uint64_t>* so_far = nullptr;
  std::string line;
  bool ended_by_us = false;
  bool too_large = false;
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return out;
}

/// Hands out whole lines. False when the receiver wants no more.
bool hand_out(Exchange& exchange, std::string_view data) {
  exchange.line.append(data);
  std::size_t start = 0;
  for (auto end = exchange.line.find('\n'); end != std::string::npos;
       end = exchange.line.find('\n', start)) {
    const std::string_view line =
        std::string_view(exchange.line).substr(start, end - start);
    start = end + 1;
    if (!line.empty() && !(*exchange.on_line)(line)) return false;
  }
  exchange.line.erase(0, start);
  exchange.too_large = exchange.line.size() > kLineLimit;
  return !exchange.too_large;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count,
                    void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view bytes(data, size * count);
  if (exchange.on_line != nullptr && exchange.response.status == 200) {
    if (!hand_out(exchange, bytes)) {
      exchange.ended_by_us = !exchange.too_large;
      return 0;
    }
    return bytes.size();
  }
  if (exchange.response.body.size() + bytes.size() > kBodyLimit) {
    exchange.too_large = true;
    return 0;
  }
  exchange.response.body.append(bytes);
  return bytes.size();
}

std::size_t on_header(char* data, std::size_t size, std::size_t count,
                      void* user) {
  Response& response = static_cast<Exchange*>(user)->response;
  std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {
    response.headers.clear();
    const auto space = line.find(' ');
    response.status = space == std::string_view::npos
                          ? 0
                          : std::atoi(line.data() + space + 1);
  } else if (const auto colon = line.find(':');
             colon != std::string_view::npos) {
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() &&
           std::isspace(static_cast<unsigned char>(value.front())) != 0) {
      value.remove_prefix(1);
    }
    while (!value.empty() &&
           std::isspace(static_cast<unsigned char>(value.back())) != 0) {
      value.remove_suffix(1);
    }
    response.headers[lower(line.substr(0, colon))] = value;
  }
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t received, curl_off_t,
                curl_off_t) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.so_far->store(static_cast<std::uint64_t>(received));
  if (exchange.aborted->load()) return 1;
  if (exchange.stop == nullptr || !exchange.stop->load()) return 0;
  exchange.ended_by_us = true;
  return 1;
}

/// A peer that died silently must not hold a watch for ever; 7.88 has no
/// option for the keep-alive count.
int on_socket(void*, curl_socket_t fd, curlsocktype) {
  const auto set = [fd](int level, int option, int value) {
    (void)setsockopt(fd, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 25000);
  return CURL_SOCKOPT_OK;
}

template <typename T>
void set(CURL* curl, CURLoption option, T value) {
  if (curl_easy_setopt(curl, option, value) != CURLE_OK) {
    panic(fmt::format("libcurl refuses option {}", static_cast<int>(option)));
  }
}

curl_blob blob_of(const std::string& text) {
  return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
}

void set_blob_or_file(CURL* curl, CURLoption blob_option,
                      CURLoption file_option, const std::string& data,
                      const std::string& file) {
  if (!data.empty()) {
    const curl_blob blob = blob_of(data);
    set(curl, blob_option, &blob);
  } else if (!file.empty()) {
    set(curl, file_option, file.c_str());
  }
}

void set_tls(CURL* curl, const Endpoint& e) {
  set_blob_or_file(curl, CURLOPT_CAINFO_BLOB, CURLOPT_CAINFO, e.ca_data,
                   e.ca_file);
  set_blob_or_file(curl, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERT, e.cert_data,
                   e.cert_file);
  set_blob_or_file(curl, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEY, e.key_data,
                   e.key_file);
  set(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (e.insecure) {
    set(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    set(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

class Headers {
 public:
  ~Headers() { curl_slist_free_all(list_); }
  Headers() = default;
  Headers(const Headers&) = delete;
  Headers& operator=(const Headers&) = delete;
  void add(const std::string& line) {
    curl_slist* longer = curl_slist_append(list_, line.c_str());
    if (longer == nullptr) panic("out of memory");
    list_ = longer;
  }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

class CurlTransport final : public Transport {
 public:
  explicit CurlTransport(std::shared_ptr<Credentials> who)
      : who_(std::move(who)) {
    // Once in the process and never undone: other threads may use curl too.
    static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (kReady == CURLE_OK) curl_ = curl_easy_init();
    if (curl_ == nullptr) panic("libcurl cannot be initialised");
  }
  ~CurlTransport() override { curl_easy_cleanup(curl_); }
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  Result<Response> send(const Request& request) override {
    Exchange exchange;
    return perform(request, exchange);
  }

  Result<Response> stream(const Request& request,
                          const std::function<bool(std::string_view)>& on_line,
                          const std::atomic<bool>& stop) override {
    Exchange exchange;
    exchange.on_line = &on_line;
    exchange.stop = &stop;
    return perform(request, exchange);
  }

  void abort() override { aborted_ = true; }

  Traffic traffic() const override {
    return {received_.load() + so_far_.load(), sent_.load(), requests_.load()};
  }

 private:
  Result<Response> perform(const Request& request, Exchange& exchange);
  void prepare(const Request& request, const std::string& url,
               Exchange& exchange);
  Error failure(CURLcode code, const Request& request, const Exchange& exchange,
                const char* text) const;
  void count();

  std::shared_ptr<Credentials> who_;
  CURL* curl_ = nullptr;
  std::atomic<bool> aborted_{false};
  std::atomic<std::uint64_t> so_far_{0};  // of the request that runs
  std::atomic<std::uint64_t> received_{0};
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> requests_{0};
};

void CurlTransport::prepare(const Request& request, const std::string& url,
                            Exchange& exchange) {
  curl_easy_reset(curl_);  // keeps the connection
  set(curl_, CURLOPT_URL, url.c_str());
  set(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
  set(curl_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(curl_, CURLOPT_NOSIGNAL, 1L);
  set(curl_, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
  set(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  set(curl_, CURLOPT_ACCEPT_ENCODING, "gzip");
  set(curl_, CURLOPT_SOCKOPTFUNCTION, on_socket);
  set(curl_, CURLOPT_WRITEFUNCTION, on_body);
  set(curl_, CURLOPT_WRITEDATA, &exchange);
  set(curl_, CURLOPT_HEADERFUNCTION, on_header);
  set(curl_, CURLOPT_HEADERDATA, &exchange);
  set(curl_, CURLOPT_NOPROGRESS, 0L);
  set(curl_, CURLOPT_XFERINFOFUNCTION, on_progress);
  set(curl_, CURLOPT_XFERINFODATA, &exchange);
  set(curl_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (!request.body.empty()) {
    set(curl_, CURLOPT_POSTFIELDSIZE_LARGE,
        static_cast<curl_off_t>(request.body.size()));
    set(curl_, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  set_tls(curl_, who_->endpoint());
}

Result<Response> CurlTransport::perform(const Request& request,
                                        Exchange& exchange) {
  const std::string token = TRY(who_->token());
  const std::string url = who_->endpoint().server + request.path;
  exchange.aborted = &aborted_;
  exchange.so_far = &so_far_;
  prepare(request, url, exchange);
  Headers headers;
  headers.add("Accept: application/json");
  headers.add("User-Agent: linseyd");
  headers.add("Expect:");
  if (!request.body.empty()) {
    headers.add("Content-Type: " + request.content_type);
  }
  if (!token.empty()) headers.add("Authorization: Bearer " + token);
  set(curl_, CURLOPT_HTTPHEADER, headers.get());
  char text[CURL_ERROR_SIZE] = "";
  set(curl_, CURLOPT_ERRORBUFFER, text);

  const CURLcode code = curl_easy_perform(curl_);
  count();
  // The buffers end with this call; curl must not keep pointers to them.
  set(curl_, CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));
  if (exchange.response.status == 401) who_->refused();
  if (code != CURLE_OK && !exchange.ended_by_us) {
    return failure(code, request, exchange, text);
  }
  return std::move(exchange.response);
}

Error CurlTransport::failure(CURLcode code, const Request& request,
                             const Exchange& exchange, const char* text) const {
  const std::string why = *text != '\0' ? text : curl_easy_strerror(code);
  const std::string details =
      fmt::format("curl error {}: {}", static_cast<int>(code), why);
  Code ours = Code::kApiUnavailable;
  if (exchange.too_large) ours = Code::kApiBadReply;
  if (code == CURLE_OPERATION_TIMEDOUT) ours = Code::kTimeout;
  return {ours,
          fmt::format("{} {} at {}: {}", request.method,
                      request.path.substr(0, request.path.find('?')),
                      who_->endpoint().server,
                      exchange.too_large ? "the reply is too large" : why),
          details};
}

void CurlTransport::count() {
  long header = 0;
  long request = 0;
  curl_off_t down = 0;
  curl_off_t up = 0;
  (void)curl_easy_getinfo(curl_, CURLINFO_HEADER_SIZE, &header);
  (void)curl_easy_getinfo(curl_, CURLINFO_REQUEST_SIZE, &request);
  (void)curl_easy_getinfo(curl_, CURLINFO_SIZE_DOWNLOAD_T, &down);
  (void)curl_easy_getinfo(curl_, CURLINFO_SIZE_UPLOAD_T, &up);
  so_far_ = 0;
  received_ += static_cast<std::uint64_t>(header + down);
  sent_ += static_cast<std::uint64_t>(request + up);
  ++requests_;
}

}  // namespace

std::unique_ptr<Transport> make_transport(std::shared_ptr<Credentials> who) {
  return std::make_unique<CurlTransport>(std::move(who));
}

}  // namespace linsey::kube
