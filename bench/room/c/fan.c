// The same line in C: every chunk is written to every client by one write(2) each, in one thread.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 20000

static int clients[MOST], count;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void drop(int fd) {
  for (int i = 0; i < count; i++)
    if (clients[i] == fd) {
      clients[i] = clients[--count];
      break;
    }
  close(fd);
}

int main(int argc, char **argv) {
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&at, sizeof at)) fail("bind");
  if (listen(listener, 4096)) fail("listen");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event)) fail("epoll_ctl");
  printf("127.0.0.1:%d\n", ntohs(at.sin_port));
  fflush(stdout);
  static char chunk[65536];
  for (;;) {
    int n = epoll_wait(poller, events, 256, -1);
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    for (int e = 0; e < n; e++) {
      int fd = events[e].data.fd;
      if (fd == listener) {
        while (count < MOST && (fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
          if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
          clients[count++] = fd;
        }
        continue;
      }
      ssize_t size = read(fd, chunk, sizeof chunk);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (size <= 0) {
        drop(fd);
        continue;
      }
      for (int i = 0; i < count; i++)
        if (write(clients[i], chunk, size) != size) fail("write"); // what is said here fits into every socket
    }
  }
}
