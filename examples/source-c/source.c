/*
 * A source of the three-end protocol: a program that holds sessions, and streams each to whoever asks for it.
 *
 *   cc -O2 -o source source.c && ./source [-p PORT] [-t TICK_MS] [-n TICKS]
 *
 * Its sessions are demo, 1, 2 and 3. Each shows a line every TICK_MS while somebody looks, and is over after TICKS of them; 0 is
 * never.
 * What a source of your own has to do is in answer(), frame() and end_session().
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 256, MAX_REQUEST = 1100, MAX_OUT = 64 << 10 };
enum { QUIET_MS = 50, REQUEST_MS = 5000, LEAVE_MS = 1000 };

struct session {
    const char *id;
    int over;
    long ticks;
};

static struct session sessions[] = {{"demo", 0, 0}, {"1", 0, 0}, {"2", 0, 0}, {"3", 0, 0}};
enum { SESSIONS = sizeof sessions / sizeof *sessions };

/* A connection asks first, then views or leaves: what it was told last is still on its way then. */
enum state { FREE, ASKING, VIEWING, LEAVING };

struct connection {
    enum state state;
    int fd;
    long long since, heard; /* ms */
    char request[MAX_REQUEST + 1];
    size_t requested;
    struct session *session;
    unsigned char out[MAX_OUT]; /* not taken by the socket yet */
    size_t waiting;
};

static struct connection connections[MAX_CONNECTIONS];

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void drop(struct connection *c) {
    close(c->fd);
    c->state = FREE;
}

/* flush writes what waits, as much as the socket takes. */
static void flush(struct connection *c) {
    while (c->state != FREE && c->waiting > 0) {
        ssize_t n = write(c->fd, c->out, c->waiting);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) drop(c);
            return;
        }
        c->waiting -= (size_t)n;
        memmove(c->out, c->out + n, c->waiting);
    }
    if (c->state == LEAVING) shutdown(c->fd, SHUT_WR);
}

/* queue puts bytes behind what waits. Who reads so slowly that they do not fit loses the connection. */
static void queue(struct connection *c, const void *bytes, size_t n) {
    if (c->state == FREE) return;
    if (n > MAX_OUT - c->waiting) {
        drop(c);
        return;
    }
    memcpy(c->out + c->waiting, bytes, n);
    c->waiting += n;
}

/* frame sends a type (d: shown, v: the size, i: typed), the length in 4 bytes, and the payload. */
static void frame(struct connection *c, char type, const char *payload, size_t n) {
    unsigned char head[5] = {(unsigned char)type, (unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                             (unsigned char)n};
    queue(c, head, sizeof head);
    queue(c, payload, n);
}

static void text(struct connection *c, char type, const char *payload) { frame(c, type, payload, strlen(payload)); }

/* control sends the last: 3, the session was kicked; 5, it is over, or there is none such. */
static void control(struct connection *c, char code) {
    queue(c, &code, 1);
    if (c->state == FREE) return;
    c->state = LEAVING;
    c->since = now();
}

/* end_session tells all who view a session how it ended. */
static void end_session(struct session *s, char code) {
    s->over = 1;
    for (int i = 0; i < MAX_CONNECTIONS; i++)
        if (connections[i].state == VIEWING && connections[i].session == s) control(&connections[i], code);
}

static int is_viewed(const struct session *s) {
    for (int i = 0; i < MAX_CONNECTIONS; i++)
        if (connections[i].state == VIEWING && connections[i].session == s) return 1;
    return 0;
}

static struct session *find(const char *id) {
    for (int i = 0; i < SESSIONS; i++)
        if (strcmp(sessions[i].id, id) == 0 && !sessions[i].over) return &sessions[i];
    return NULL;
}

/* answer does what is asked for: [flag]=0&[sessionid]=ID is to see a session, [flag]=1&[sessionid]=ID to kick it. */
static void answer(struct connection *c) {
    static const char head[] = "[flag]=?&[sessionid]=";
    const size_t flag = sizeof "[flag]=" - 1, id = sizeof head - 1;
    struct session *s = NULL;
    c->request[c->requested] = 0;
    c->request[strcspn(c->request, "\r\n")] = 0;
    int kick = c->request[flag] == '1';
    if (c->requested > id && strncmp(c->request, head, flag) == 0 && (kick || c->request[flag] == '0') &&
        strncmp(c->request + flag + 1, head + flag + 1, id - flag - 1) == 0)
        s = find(c->request + id);
    if (s == NULL) {
        control(c, '5');
    } else if (kick) {
        end_session(s, '3');
        control(c, '3');
    } else {
        char hello[128];
        c->state = VIEWING;
        c->session = s;
        snprintf(hello, sizeof hello, "\x1b[2J\x1b[H\x1b[7m session %s \x1b[0m 你好\r\n", s->id);
        text(c, 'v', "80x24");
        text(c, 'd', hello);
    }
}

/* tick has each session show a line, and its user press Enter at every fifth. */
static void tick(long most) {
    for (int i = 0; i < SESSIONS; i++) {
        struct session *s = &sessions[i];
        char line[128];
        if (s->over || !is_viewed(s)) continue;
        s->ticks++;
        snprintf(line, sizeof line, "%s: line %ld \xe2\x9c\x93\r\n", s->id, s->ticks);
        for (int k = 0; k < MAX_CONNECTIONS; k++) {
            if (connections[k].state != VIEWING || connections[k].session != s) continue;
            if (s->ticks % 5 == 0) text(&connections[k], 'i', "\r");
            text(&connections[k], 'd', line);
        }
        if (most > 0 && s->ticks >= most) end_session(s, '5');
    }
}

static void hear(struct connection *c) {
    char spare[512];
    char *to = c->state == ASKING ? c->request + c->requested : spare; /* what follows the request means nothing */
    size_t room = c->state == ASKING ? MAX_REQUEST - c->requested : sizeof spare;
    ssize_t n = read(c->fd, to, room);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        drop(c);
    } else if (n > 0 && c->state == ASKING) {
        c->requested += (size_t)n;
        c->heard = now();
        if (c->requested == MAX_REQUEST || memchr(to, '\n', (size_t)n)) answer(c);
    }
}

/* due does what time does: a request has no end, so it is one when nothing follows. */
static void due(struct connection *c) {
    if (c->state == ASKING && c->requested > 0 && now() - c->heard >= QUIET_MS)
        answer(c);
    else if (c->state == ASKING && now() - c->since >= REQUEST_MS)
        control(c, '5');
    else if (c->state == LEAVING && now() - c->since >= LEAVE_MS)
        drop(c);
}

static void welcome(int listener) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) return;
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *c = &connections[i];
        if (c->state != FREE) continue;
        fcntl(fd, F_SETFL, O_NONBLOCK);
        c->state = ASKING;
        c->fd = fd;
        c->since = c->heard = now();
        c->requested = c->waiting = 0;
        return;
    }
    close(fd); /* too many */
}

static int listen_on(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* the protocol asks nobody who he is */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) < 0) {
        perror("source");
        exit(1);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    printf("listens on 127.0.0.1:%d, sessions demo, 1, 2, 3\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    int port = 7001, every = 500, option;
    long most = 0;
    while ((option = getopt(argc, argv, "p:t:n:")) != -1) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 't': every = atoi(optarg); break;
        case 'n': most = atol(optarg); break;
        default: fprintf(stderr, "usage: source [-p PORT] [-t TICK_MS] [-n TICKS]\n"); return 2;
        }
    }
    if (every < 1) every = 1;
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_on(port);
    for (long long next = now() + every;;) {
        struct pollfd polls[MAX_CONNECTIONS + 1] = {{.fd = listener, .events = POLLIN}};
        long long left = next - now();
        for (int i = 0; i < MAX_CONNECTIONS; i++) {
            struct connection *c = &connections[i];
            polls[i + 1].fd = c->state == FREE ? -1 : c->fd;
            polls[i + 1].events = (short)(POLLIN | (c->waiting > 0 ? POLLOUT : 0));
            if (c->state == ASKING && left > QUIET_MS) left = QUIET_MS;
        }
        if (poll(polls, MAX_CONNECTIONS + 1, left > 0 ? (int)left : 0) < 0 && errno != EINTR) return 1;
        if (now() >= next) {
            tick(most);
            next = now() + every;
        }
        for (int i = 0; i < MAX_CONNECTIONS; i++) {
            struct connection *c = &connections[i];
            if (c->state != FREE && polls[i + 1].fd >= 0 && polls[i + 1].revents & (POLLIN | POLLHUP | POLLERR)) hear(c);
            if (c->state != FREE) due(c);
            if (c->state != FREE) flush(c);
        }
        if (polls[0].revents & POLLIN) welcome(listener);
    }
}
