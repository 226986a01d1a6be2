#include "cloud/http.h"

#include <algorithm>
#include <cctype>

#include <curl/curl.h>

namespace linsey::cloud {
namespace {

struct Exchange {
  HttpResponse response;
  std::size_t limit = 0;
  bool too_large = false;
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return result;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::size_t on_body(char* data, std::size_t size, std::size_t count,
                    void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::size_t bytes = size * count;
  if (exchange.response.body.size() + bytes > exchange.limit) {
    exchange.too_large = true;
    return 0;
  }
  exchange.response.body.append(data, bytes);
  return bytes;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count,
                      void* user) {
  auto& headers = static_cast<Exchange*>(user)->response.headers;
  const std::string_view line(data, size * count);
  // A status line starts a new reply (100 Continue, a proxy's CONNECT).
  if (line.starts_with("HTTP/")) headers.clear();
  if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    headers.emplace_back(lower(line.substr(0, colon)),
                         trim(line.substr(colon + 1)));
  }
  return line.size();
}

class HeaderList {
 public:
  explicit HeaderList(const HttpHeaders& headers) {
    for (const auto& [key, value] : headers) {
      // "Name;" is how curl spells a header without a value.
      add(value.empty() ? key + ";" : fmt::format("{}: {}", key, value));
    }
    // A name without a colon's value takes away what curl adds by itself; a
    // header that is sent but not signed would make the signature wrong.
    add("Expect:");
    const bool typed = std::ranges::any_of(headers, [](const auto& header) {
      return lower(header.first) == "content-type";
    });
    if (!typed) add("Content-Type:");
  }
  ~HeaderList() { curl_slist_free_all(list_); }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  curl_slist* get() const { return list_; }

 private:
  void add(const std::string& line) {
    curl_slist* longer = curl_slist_append(list_, line.c_str());
    if (longer == nullptr) panic("out of memory");
    list_ = longer;
  }
  curl_slist* list_ = nullptr;
};

template <typename T>
void set(CURL* curl, CURLoption option, T value) {
  if (curl_easy_setopt(curl, option, value) != CURLE_OK) {
    panic(fmt::format("libcurl refuses option {}", static_cast<int>(option)));
  }
}

void set_method(CURL* curl, const HttpRequest& request) {
  if (request.method == "GET") {
    set(curl, CURLOPT_HTTPGET, 1L);
    return;
  }
  set(curl, CURLOPT_POST, 1L);
  set(curl, CURLOPT_POSTFIELDSIZE_LARGE,
      static_cast<curl_off_t>(request.body.size()));
  set(curl, CURLOPT_POSTFIELDS, request.body.c_str());
  set(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

Error send_error(CURLcode code, const HttpRequest& request,
                 const Exchange& exchange, const char* text) {
  const std::string_view url(request.url);
  const auto where = url.substr(0, url.find('?'));  // the query may be secret
  const std::string why =
      text[0] != '\0' ? std::string(text) : curl_easy_strerror(code);
  const std::string details =
      fmt::format("curl error {}: {}", static_cast<int>(code), why);
  if (exchange.too_large) {
    return {Code::kCloudBadReply,
            fmt::format("{} {}: the reply is larger than {} bytes",
                        request.method, where, request.limit),
            details};
  }
  Code ours = Code::kCloudUnavailable;
  if (code == CURLE_OPERATION_TIMEDOUT) ours = Code::kTimeout;
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    ours = Code::kCloudBadRequest;
  }
  return {ours, fmt::format("{} {}: {}", request.method, where, why), details};
}

}  // namespace

struct HttpClient::Handle {
  Handle() {
    // Once in the process and never undone: other threads may use curl too.
    static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (kReady == CURLE_OK) curl = curl_easy_init();
    if (curl == nullptr) panic("libcurl cannot be initialised");
  }
  ~Handle() { curl_easy_cleanup(curl); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  CURL* curl = nullptr;
};

HttpClient::HttpClient() : handle_(std::make_unique<Handle>()) {}
HttpClient::~HttpClient() = default;

Result<HttpResponse> HttpClient::send(const HttpRequest& request) {
  CURL* curl = handle_->curl;
  curl_easy_reset(curl);  // keeps the connections
  Exchange exchange;
  exchange.limit = request.limit;
  const HeaderList headers(request.headers);
  char text[CURL_ERROR_SIZE] = "";

  set(curl, CURLOPT_URL, request.url.c_str());
  set(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  set(curl, CURLOPT_FOLLOWLOCATION, 0L);
  set(curl, CURLOPT_NOSIGNAL, 1L);
  set(curl, CURLOPT_ERRORBUFFER, text);
  set(curl, CURLOPT_HTTPHEADER, headers.get());
  set(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  set(curl, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(request.connect_timeout.count()));
  set(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  set(curl, CURLOPT_WRITEFUNCTION, on_body);
  set(curl, CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
  set(curl, CURLOPT_HEADERFUNCTION, on_header);
  set(curl, CURLOPT_HEADERDATA, static_cast<void*>(&exchange));
  if (!request.use_proxy) set(curl, CURLOPT_NOPROXY, "*");
  set_method(curl, request);

  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) return send_error(code, request, exchange, text);
  long status = 0;
  (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  return std::move(exchange.response);
}

std::optional<std::string> HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Result<std::string> url_host(std::string_view url) {
  const auto refuse = [&] {
    return make_error(Code::kInvalidConfig,
                      "{:?} is no http:// or https:// URL", url);
  };
  std::string_view default_port;
  std::string_view rest = url;
  for (const auto& [scheme, port] :
       {std::pair<std::string_view, std::string_view>{"http://", ":80"},
        {"https://", ":443"}}) {
    if (!url.starts_with(scheme)) continue;
    rest.remove_prefix(scheme.size());
    default_port = port;
  }
  if (default_port.empty()) return refuse();
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (rest.empty() || rest.find('@') != std::string_view::npos) return refuse();
  if (rest.ends_with(default_port)) rest.remove_suffix(default_port.size());
  return lower(rest);
}

}  // namespace linsey::cloud
