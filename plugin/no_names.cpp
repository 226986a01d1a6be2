// libnl can look up host and protocol names; the plugin never does. A static
// glibc would carry the resolver for it and load NSS modules of the host.
// These definitions win over the archive's. Only for the static plugin:
// programs that resolve names must not link them.
#include <netdb.h>

extern "C" {

int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) {
  return EAI_FAIL;
}

void freeaddrinfo(addrinfo*) noexcept {}

protoent* getprotobyname(const char*) {
  return nullptr;
}

protoent* getprotobynumber(int) {
  return nullptr;
}

}  // extern "C"
