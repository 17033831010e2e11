/* Preloaded by `SYSTEM+nodelay`: has every TCP connection of a program send at once, as with Nagle's algorithm off. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

static int without_delay(int fd) {
  int one = 1;
  /* Of another kind of socket the kernel refuses it, which changes nothing. */
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

int socket(int domain, int type, int protocol) {
  static int (*next)(int, int, int);
  if (next == NULL) next = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
  int fd = next(domain, type, protocol);
  return domain == AF_INET || domain == AF_INET6 ? without_delay(fd) : fd;
}

int accept(int fd, struct sockaddr *address, socklen_t *length) {
  static int (*next)(int, struct sockaddr *, socklen_t *);
  if (next == NULL) next = (int (*)(int, struct sockaddr *, socklen_t *))dlsym(RTLD_NEXT, "accept");
  return without_delay(next(fd, address, length));
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  static int (*next)(int, struct sockaddr *, socklen_t *, int);
  if (next == NULL) next = (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
  return without_delay(next(fd, address, length, flags));
}
