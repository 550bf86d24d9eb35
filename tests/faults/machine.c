/*
 * A program loaded with this → the same program on a machine whose disk and clock a test controls.
 *
 * LD_PRELOAD puts these functions in front of those of the C library. $MACHINE is a folder with the file
 * `controls`, shared memory whose layout `machine.py` writes as well, and two folders for what is durable:
 *
 *   inodes/I  what the file with inode and birth I held when it was last synced, as far as a sync got
 *   names/N   the inode and birth of the file that had the name N when the folder of $DISK was last synced
 *
 * Only files of the folder $DISK are looked at. What is in neither folder would not outlive a power failure.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct controls {
    int32_t refuse;       /* errno with which writes fail; 0: they do not */
    int32_t shadow;       /* whether syncs are copied to what is durable */
    int64_t clock_offset; /* in ns, added to the time of day */
    int64_t refused;      /* writes that failed by `refuse` */
};

static struct controls none, *controls = &none;
static const char *machine, *disk;

__attribute__((constructor)) static void begin(void) {
    char path[PATH_MAX];
    machine = getenv("MACHINE");
    disk = getenv("DISK");
    if (!machine || !disk) return;
    snprintf(path, sizeof path, "%s/controls", machine);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *page = mmap(NULL, sizeof *controls, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) controls = page;
    close(fd);
}

/* The C library's own function of this name. */
#define REAL(name)                                                       \
    ({                                                                   \
        static __typeof__(&name) found;                                  \
        if (!found && !(found = dlsym(RTLD_NEXT, #name))) abort();       \
        found;                                                           \
    })

/* The path of an open file, when it is in the folder of the disk or that folder itself. */
static int on_disk(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    size_t folder = strlen(disk);
    return !strncmp(path, disk, folder) && (!path[folder] || path[folder] == '/');
}

/* ---- Writes that fail ---------------------------------------------------------------------------------------- */

static int refused(int fd) {
    char path[PATH_MAX];
    if (!controls->refuse || !on_disk(fd, path)) return 0;
    __atomic_add_fetch(&controls->refused, 1, __ATOMIC_RELAXED);
    errno = controls->refuse;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return refused(fd) ? -1 : REAL(write)(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return refused(fd) ? -1 : REAL(pwrite)(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    return refused(fd) ? -1 : REAL(pwrite64)(fd, bytes, count, offset);
}

int ftruncate(int fd, off_t size) {
    return refused(fd) ? -1 : REAL(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    return refused(fd) ? -1 : REAL(ftruncate64)(fd, size);
}

/* ---- What is durable ----------------------------------------------------------------------------------------- */

/* Inode and birth: the number of a file that was removed is soon given to another one. */
static int name_of(int folder, const char *entry, char *name) {
    struct statx found;
    if (statx(folder, entry, *entry ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &found)) return -1;
    return sprintf(name, "%llu-%lld-%u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
                   found.stx_btime.tv_nsec);
}

/* All that a file holds now, over what was durable of it before. */
static void keep_file(int fd, const char *path) {
    char name[128], kept[PATH_MAX];
    static __thread char piece[1 << 20];
    if (name_of(fd, "", name) < 0) abort();
    snprintf(kept, sizeof kept, "%s/inodes/%s", machine, name);
    int from = open(path, O_RDONLY | O_CLOEXEC), to = open(kept, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (from < 0 || to < 0) abort();
    off_t done = 0;
    for (ssize_t count; (count = pread(from, piece, sizeof piece, done)) > 0; done += count)
        if (REAL(pwrite)(to, piece, count, done) != count) abort();
    if (REAL(ftruncate)(to, done)) abort();
    close(from);
    close(to);
}

/* The names that a folder holds now, each in one step. */
static void keep_names(int fd) {
    char kept[PATH_MAX], fresh[PATH_MAX], name[128], path[PATH_MAX];
    DIR *folder = opendir(disk);
    if (!folder) abort();
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_type != DT_REG || name_of(dirfd(folder), entry->d_name, name) < 0) continue;
        snprintf(fresh, sizeof fresh, "%s/fresh-%d", machine, gettid());
        snprintf(kept, sizeof kept, "%s/names/%s", machine, entry->d_name);
        int to = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (to < 0 || REAL(write)(to, name, strlen(name)) < 0) abort();
        close(to);
        if (rename(fresh, kept)) abort();
    }
    closedir(folder);
    snprintf(path, sizeof path, "%s/names", machine);
    folder = opendir(path);
    if (!folder) abort();
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_type == DT_REG && faccessat(fd, entry->d_name, F_OK, 0)) unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}

static void keep(int fd) {
    char path[PATH_MAX];
    if (!controls->shadow || !on_disk(fd, path)) return;
    if (path[strlen(disk)]) keep_file(fd, path);
    else keep_names(fd);
}

int fsync(int fd) {
    if (refused(fd)) return -1;
    keep(fd);
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    if (refused(fd)) return -1;
    keep(fd);
    return REAL(fdatasync)(fd);
}

/* ---- The clock ----------------------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = REAL(clock_gettime)(clock, time);
    if (failed || clock != CLOCK_REALTIME) return failed;
    int64_t now = time->tv_sec * 1000000000LL + time->tv_nsec + controls->clock_offset;
    time->tv_sec = now / 1000000000LL;
    time->tv_nsec = now % 1000000000LL;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *stored) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (stored) *stored = now.tv_sec;
    return now.tv_sec;
}
