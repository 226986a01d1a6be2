// The container of a pod sandbox: it does nothing, for ever.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void leave(int number) {
  (void)number;
  _exit(0);
}

int main(void) {
  // The first process of a PID namespace gets no signal it has no handler for.
  signal(SIGTERM, leave);
  signal(SIGINT, leave);
  while (1) {
    pause();
  }
}
