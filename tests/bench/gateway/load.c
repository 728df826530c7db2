/* Load generator for OCPP-J servers: many links, one outstanding CALL each, prebuilt masked frames.
 *
 *   load MODE key=value ...        one JSON object a line on stdout
 *
 * MODE throughput  every link sends its next CALL as soon as the last one is answered, for `seconds` after `warm`
 *      rate        `rate` CALLs a second over all links, on a fixed timetable; an answer that comes late makes the next CALL late,
 *                  and that counts
 *      storm       all links connect at once; the time until the last BootNotification is answered
 *      stations    links boot and then only answer what the server asks, until stdin ends
 *
 * Keys: port n path protocol password boot frame frame2 seconds warm rate pid
 * `boot`, `frame` and `frame2` name files with a CALL whose message id is the ten characters after [2," ; the id is the
 * only thing that changes. Links with an odd number send `frame2` where it is given. With `password` every link logs in
 * as the last segment of its path. `pid` is the server: its CPU time (user and system) is taken over the same window.
 *
 * Only a CALLRESULT with the id of the open CALL and an object as payload counts. A CALL of the server is answered with
 * {"status":"Accepted"}, or with what its action needs. In mode rate a line on stdin prints and begins anew.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { ID = 10, ID_AT = 4, GIVE_UP_S = 90, TIMER = -1, INPUT = -2 };
enum state { CONNECTING, UPGRADING, BOOTING, READY, LOST };

struct link {
    int fd, is_open, is_asleep;
    enum state state;
    unsigned char *in;
    size_t have, size;
    unsigned char *frame; /* header, mask, masked text */
    size_t frame_len, text_at;
    char id[ID + 1];
    uint64_t seq;
    long turn; /* mode rate: the next place in the timetable */
    double since;
};

static struct {
    const char *mode, *path, *protocol, *password, *boot, *frame, *frame2;
    int port, n, pid;
    double seconds, warm, rate;
} opt = {"", "/", "ocpp1.6", NULL, NULL, NULL, NULL, 0, 100, 0, 3.0, 0.5, 0.0};

static struct link *links;
static int epoll_fd, timer_fd, n_ready, n_lost, is_running;
static uint64_t n_good, n_wrong, n_called;
static float *lat;
static size_t n_lat, cap_lat;
static double began_at, last_at;
static const unsigned char MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double server_cpu_s(void) {
    struct timespec t = {0, 0};
    clockid_t clock;
    if (opt.pid && clock_getcpuclockid(opt.pid, &clock) == 0) clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static char *content(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file) die(name);
    char *text = calloc(1, 1 << 20);
    size_t size = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    while (size && (text[size - 1] == '\n')) text[--size] = 0;
    if (strncmp(text, "[2,\"", ID_AT) != 0 || text[ID_AT + ID] != '"') {
        fprintf(stderr, "load: %s must begin with [2,\" and an id of %d characters\n", name, ID);
        exit(1);
    }
    return text;
}

static void lose(struct link *l) {
    if (l->state == LOST) return;
    if (l->state == READY) n_ready--;
    l->state = LOST;
    n_lost++;
    close(l->fd);
}

static void put(struct link *l, const void *data, size_t size) {
    const unsigned char *p = data;
    while (size) {
        ssize_t done = send(l->fd, p, size, MSG_NOSIGNAL);
        if (done > 0) {
            p += done;
            size -= (size_t)done;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {l->fd, POLLOUT, 0};
            poll(&wait, 1, 1000);
        } else if (errno != EINTR) {
            lose(l);
            return;
        }
    }
}

static size_t header(unsigned char *out, int opcode, size_t size) {
    size_t at = 2;
    out[0] = (unsigned char)(0x80 | opcode);
    if (size < 126) {
        out[1] = (unsigned char)(0x80 | size);
    } else if (size < 65536) {
        out[1] = 0x80 | 126;
        out[2] = (unsigned char)(size >> 8);
        out[3] = (unsigned char)size;
        at = 4;
    } else {
        fprintf(stderr, "load: a frame of %zu bytes is too long\n", size);
        exit(1);
    }
    memcpy(out + at, MASK, 4);
    return at + 4;
}

static void put_frame(struct link *l, int opcode, const void *data, size_t size) {
    unsigned char out[4096];
    if (size > sizeof out - 16) size = sizeof out - 16;
    size_t at = header(out, opcode, size);
    for (size_t i = 0; i < size; i++) out[at + i] = ((const unsigned char *)data)[i] ^ MASK[i & 3];
    put(l, out, at + size);
}

static void prepare(struct link *l, const char *text) {
    size_t size = strlen(text);
    free(l->frame);
    l->frame = malloc(size + 16);
    l->text_at = header(l->frame, 1, size);
    for (size_t i = 0; i < size; i++) l->frame[l->text_at + i] = (unsigned char)text[i] ^ MASK[i & 3];
    l->frame_len = l->text_at + size;
}

static void ask(struct link *l, double since) {
    uint64_t number = (uint64_t)(l - links) % 10000 * 1000000 + l->seq++ % 1000000;
    for (int i = ID; i-- > 0; number /= 10) l->id[i] = (char)('0' + number % 10);
    for (int i = 0; i < ID; i++) l->frame[l->text_at + ID_AT + i] = (unsigned char)l->id[i] ^ MASK[(ID_AT + i) & 3];
    l->is_open = 1;
    l->since = since;
    put(l, l->frame, l->frame_len);
}

static void note(double seconds) {
    if (n_lat == cap_lat) {
        cap_lat = cap_lat ? cap_lat * 2 : 1 << 16;
        lat = realloc(lat, cap_lat * sizeof *lat);
        if (!lat) die("memory");
    }
    lat[n_lat++] = (float)seconds;
}

static int smaller(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double at_frac(double frac) {
    if (!n_lat) return 0;
    size_t i = (size_t)(frac * (double)(n_lat - 1) + 0.5);
    return 1e3 * (double)lat[i];
}

static void report(double wall_s, double cpu_s, double own_cpu_s) {
    qsort(lat, n_lat, sizeof *lat, smaller);
    printf("{\"good\": %lu, \"wrong\": %lu, \"lost\": %d, \"ready\": %d, \"called\": %lu, \"wall_s\": %.6f, "
           "\"server_cpu_s\": %.6f, \"load_cpu_s\": %.6f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"p999_ms\": %.4f, \"max_ms\": %.4f}\n",
           (unsigned long)n_good, (unsigned long)n_wrong, n_lost, n_ready, (unsigned long)n_called, wall_s, cpu_s,
           own_cpu_s, at_frac(0.5), at_frac(0.99), at_frac(0.999), at_frac(1.0));
    fflush(stdout);
    n_lat = n_good = n_wrong = 0;
}

static double due_at(const struct link *l) {
    return began_at + ((double)l->turn * opt.n + (double)(l - links)) / opt.rate;
}

/* What this program sends late counts from when it was sent, what waits for an answer from when it was due. */
static void follow_timetable(struct link *l, double now, int was_held) {
    if (l->state != READY || l->is_open || due_at(l) > now) return;
    double due = due_at(l);
    l->turn++;
    ask(l, was_held ? due : now);
}

/* Text after leading blanks and commas. */
static const char *skip(const char *p) {
    while (*p == ' ' || *p == ',') p++;
    return p;
}

static void begin_link(struct link *l, int number) {
    const char *text = opt.frame2 && number % 2 ? opt.frame2 : opt.frame;
    l->state = READY;
    n_ready++;
    if (text) prepare(l, text);
}

static void on_result(struct link *l, const char *p, double now) {
    if (!l->is_open || *p != '"' || strncmp(p + 1, l->id, ID) != 0 || p[1 + ID] != '"' || *skip(p + 2 + ID) != '{') {
        n_wrong++;
        return;
    }
    l->is_open = 0;
    if (l->state == BOOTING) {
        last_at = now;
        begin_link(l, (int)(l - links));
        return;
    }
    n_good++;
    note(now - l->since);
    if (!is_running) return;
    if (opt.rate > 0)
        follow_timetable(l, now, 1);
    else
        ask(l, now);
}

static const char *answer_to(const char *action) {
    if (!strncmp(action, "GetConfiguration\"", 17)) return "{}";
    if (!strncmp(action, "GetCompositeSchedule\"", 21)) return "{\"status\":\"Rejected\"}";
    return "{\"status\":\"Accepted\"}";
}

static void on_call(struct link *l, const char *p) {
    char out[512];
    const char *end = *p == '"' ? strchr(p + 1, '"') : NULL;
    if (!end || end - p > 60) {
        n_wrong++;
        return;
    }
    const char *action = skip(end + 1);
    int size = snprintf(out, sizeof out, "[3,%.*s,%s]", (int)(end - p + 1), p, answer_to(action + 1));
    put_frame(l, 1, out, (size_t)size);
}

static void on_text(struct link *l, char *text, double now) {
    const char *p = text;
    if (*p == '[') {
        p = skip(p + 1);
        if (*p == '3') {
            on_result(l, skip(p + 1), now);
            return;
        }
        if (*p == '2') {
            n_called++;
            on_call(l, skip(p + 1));
            return;
        }
    }
    n_wrong++;
    if (*p == '4' && l->is_open && l->state == READY) { /* an error ends the open CALL, and does not count */
        l->is_open = 0;
        if (is_running && opt.rate <= 0) ask(l, now);
    }
}

/* Bytes of one frame at `p`, or 0 when it is not whole. */
static size_t on_frame(struct link *l, unsigned char *p, size_t have, double now) {
    size_t at = 2, size;
    if (have < 2) return 0;
    size = p[1] & 127;
    if (size == 126) {
        if (have < 4) return 0;
        size = ((size_t)p[2] << 8) | p[3];
        at = 4;
    } else if (size == 127) {
        if (have < 10) return 0;
        size = 0;
        for (int i = 2; i < 10; i++) size = size << 8 | p[i];
        at = 10;
    }
    if (have < at + size) return 0;
    if (p[0] == 0x81) {
        unsigned char kept = p[at + size];
        p[at + size] = 0;
        on_text(l, (char *)p + at, now);
        p[at + size] = kept;
    } else if (p[0] == 0x89) {
        put_frame(l, 10, p + at, size);
    } else if (p[0] == 0x88) {
        lose(l);
    } else if (p[0] != 0x8a) {
        n_wrong++; /* fragments and extensions are never asked for */
    }
    return at + size;
}

static void on_bytes(struct link *l) {
    for (;;) {
        if (l->size - l->have < 4096) {
            l->size = l->size ? l->size * 2 : 8192;
            l->in = realloc(l->in, l->size + 1);
            if (!l->in) die("memory");
        }
        ssize_t got = recv(l->fd, l->in + l->have, l->size - l->have, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            lose(l);
            return;
        }
        l->have += (size_t)got;
        double now = now_s();
        size_t at = 0;
        if (l->state == UPGRADING) {
            l->in[l->have] = 0;
            char *end = strstr((char *)l->in, "\r\n\r\n");
            if (!end) continue;
            if (strncmp((char *)l->in, "HTTP/1.1 101", 12) != 0) {
                lose(l);
                return;
            }
            at = (size_t)(end + 4 - (char *)l->in);
            if (opt.boot) {
                l->state = BOOTING;
                prepare(l, opt.boot);
                ask(l, now);
            } else {
                begin_link(l, (int)(l - links));
            }
        }
        while (l->state != LOST) {
            size_t used = on_frame(l, l->in + at, l->have - at, now);
            if (!used) break;
            at += used;
        }
        if (l->state == LOST) return;
        memmove(l->in, l->in + at, l->have - at);
        l->have -= at;
        if ((size_t)got < 4096) return;
    }
}

static void base64(const char *text, char *out) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t size = strlen(text), o = 0;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)text[i] << 16;
        if (i + 1 < size) v |= (uint32_t)(unsigned char)text[i + 1] << 8;
        if (i + 2 < size) v |= (unsigned char)text[i + 2];
        out[o++] = DIGITS[v >> 18];
        out[o++] = DIGITS[v >> 12 & 63];
        out[o++] = i + 1 < size ? DIGITS[v >> 6 & 63] : '=';
        out[o++] = i + 2 < size ? DIGITS[v & 63] : '=';
    }
    out[o] = 0;
}

static void upgrade(struct link *l) {
    char out[1024], login[600] = "", plain[300], coded[420];
    const char *tail = strrchr(opt.path, '/') + 1;
    int number = (int)(l - links);
    if (opt.password) {
        snprintf(plain, sizeof plain, "%s%d:%s", tail, number, opt.password);
        base64(plain, coded);
        snprintf(login, sizeof login, "Authorization: Basic %s\r\n", coded);
    }
    int size = snprintf(out, sizeof out,
                        "GET %s%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Protocol: %s\r\n%s\r\n",
                        opt.path, number, opt.port, opt.protocol, login);
    l->state = UPGRADING;
    put(l, out, (size_t)size);
}

static void dial(int number) {
    struct link *l = links + number;
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = (uint64_t)number};
    int one = 1;
    inet_pton(AF_INET, "127.0.0.1", &place.sin_addr);
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (l->fd < 0) die("socket");
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(l->fd, (struct sockaddr *)&place, sizeof place) < 0 && errno != EINPROGRESS) die("connect");
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, l->fd, &event) < 0) die("epoll_ctl");
}

static void watch(int fd, int what) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(int64_t)what};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* Handle what came; returns 1 for a line on stdin, -1 for its end. */
static int turn(int timeout_ms) {
    struct epoll_event events[512];
    int said = 0, count = epoll_wait(epoll_fd, events, 512, timeout_ms);
    for (int i = 0; i < count; i++) {
        int64_t what = (int64_t)events[i].data.u64;
        if (what == TIMER) {
            uint64_t ticks;
            double now = now_s();
            if (read(timer_fd, &ticks, sizeof ticks) > 0)
                for (int k = 0; k < opt.n; k++) follow_timetable(links + k, now, 0);
        } else if (what == INPUT) {
            char line[256];
            said = read(0, line, sizeof line) > 0 ? 1 : -1;
        } else {
            struct link *l = links + what;
            if (l->state == CONNECTING && events[i].events & EPOLLOUT) upgrade(l);
            if (l->state != LOST && l->state != CONNECTING && events[i].events & EPOLLIN) on_bytes(l);
            if (l->state != LOST && events[i].events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) lose(l);
        }
    }
    return said;
}

static double own_cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void connect_all(void) {
    double until = now_s() + GIVE_UP_S;
    int at_once = strcmp(opt.mode, "storm") ? 200 : opt.n;
    began_at = now_s();
    for (int i = 0; i < opt.n; i++) {
        dial(i);
        while (i + 1 - n_ready - n_lost >= at_once && now_s() < until) turn(100);
    }
    while (n_ready + n_lost < opt.n && now_s() < until) turn(100);
}

static void leave(void) {
    static const unsigned char NORMAL[2] = {0x03, 0xe8};
    for (int i = 0; i < opt.n; i++)
        if (links[i].state != LOST) put_frame(links + i, 8, NORMAL, 2);
}

static void measure(void) {
    double warm_until = now_s() + opt.warm, until = warm_until + opt.seconds;
    double cpu = server_cpu_s(), own = own_cpu_s(), from = now_s();
    int is_warm = 0, has_input = opt.rate > 0 && opt.seconds <= 0;
    is_running = 1;
    began_at = from;
    if (opt.rate > 0) {
        struct itimerspec every = {{0, 500000}, {0, 500000}};
        timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        timerfd_settime(timer_fd, 0, &every, NULL);
        watch(timer_fd, TIMER);
    } else {
        for (int i = 0; i < opt.n; i++)
            if (links[i].state == READY) ask(links + i, now_s());
    }
    while (has_input || now_s() < until) {
        int said = turn(50);
        if (!is_warm && !has_input && now_s() >= warm_until) {
            is_warm = 1;
            n_good = n_wrong = n_lat = 0;
            cpu = server_cpu_s(), own = own_cpu_s(), from = now_s();
        }
        if (said < 0) return;
        if (said > 0) {
            report(now_s() - from, server_cpu_s() - cpu, own_cpu_s() - own);
            cpu = server_cpu_s(), own = own_cpu_s(), from = now_s();
        }
    }
    report(now_s() - from, server_cpu_s() - cpu, own_cpu_s() - own);
}

static void read_options(int argc, char **argv) {
    opt.mode = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value) {
            fprintf(stderr, "load: %s is no key=value\n", argv[i]);
            exit(1);
        }
        *value++ = 0;
        if (!strcmp(argv[i], "port")) opt.port = atoi(value);
        else if (!strcmp(argv[i], "n")) opt.n = atoi(value);
        else if (!strcmp(argv[i], "pid")) opt.pid = atoi(value);
        else if (!strcmp(argv[i], "path")) opt.path = value;
        else if (!strcmp(argv[i], "protocol")) opt.protocol = value;
        else if (!strcmp(argv[i], "password")) opt.password = value;
        else if (!strcmp(argv[i], "boot")) opt.boot = content(value);
        else if (!strcmp(argv[i], "frame")) opt.frame = content(value);
        else if (!strcmp(argv[i], "frame2")) opt.frame2 = content(value);
        else if (!strcmp(argv[i], "seconds")) opt.seconds = atof(value);
        else if (!strcmp(argv[i], "warm")) opt.warm = atof(value);
        else if (!strcmp(argv[i], "rate")) opt.rate = atof(value);
        else {
            fprintf(stderr, "load: key %s is unknown\n", argv[i]);
            exit(1);
        }
    }
}

int main(int argc, char **argv) {
    struct rlimit files;
    read_options(argc, argv);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    links = calloc((size_t)opt.n, sizeof *links);
    epoll_fd = epoll_create1(0);
    int is_storm = !strcmp(opt.mode, "storm"), is_stations = !strcmp(opt.mode, "stations");
    if (!is_storm && !is_stations && !opt.frame) {
        fprintf(stderr, "load: mode %s needs frame=\n", opt.mode);
        return 1;
    }
    double cpu = server_cpu_s();
    connect_all();
    if (is_storm || is_stations || (opt.rate > 0 && opt.seconds <= 0)) {
        printf("{\"ready\": %d, \"lost\": %d, \"wall_s\": %.6f, \"server_cpu_s\": %.6f}\n", n_ready, n_lost,
               last_at - began_at, server_cpu_s() - cpu);
        fflush(stdout);
        if (is_storm) {
            leave();
            return 0;
        }
        watch(0, INPUT);
    }
    if (is_stations)
        while (turn(1000) >= 0) {}
    else
        measure();
    leave();
    return 0;
}
