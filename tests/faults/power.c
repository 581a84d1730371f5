/* A disk that loses its power: for LD_PRELOAD.

   A program flushes files below the folder $POWER_FROM with fsync(2) or fdatasync(2). What the disk
   then surely holds is copied to the same place below $POWER_TO; everything else that was written
   is missing there, as it may be after a power cut. sync_file_range(2) promises nothing (its manual
   page says so), and nobody uses O_DSYNC or msync(2) here. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the disk keeps what is open there; whether it keeps it. */
static int find_place(int fd, char place[PATH_MAX])
{
    const char *from = getenv("POWER_FROM"), *to = getenv("POWER_TO");
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!from || !to || length < 0)
        return 0;
    path[length] = 0;
    size_t prefix = strlen(from);
    if (strncmp(path, from, prefix) || (path[prefix] && path[prefix] != '/'))
        return 0;
    return snprintf(place, PATH_MAX, "%s%s", to, path + prefix) < PATH_MAX;
}

/* A folder that is flushed forgets the names that are gone. */
static int forget_names(int fd, const char *place)
{
    struct stat found;
    DIR *names = opendir(place);
    for (struct dirent *each; names && (each = readdir(names));)
        if (fstatat(fd, each->d_name, &found, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
            unlinkat(dirfd(names), each->d_name, 0);
    return names ? closedir(names) : 0;
}

/* One at a time: a slow copy must not undo what a later one has kept. */
static int keep_file(int fd, const char *place)
{
    off_t end = 0;
    ssize_t copied;
    int copy = open(place, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (copy < 0 || flock(copy, LOCK_EX))
        abort();
    while ((copied = sendfile(copy, fd, &end, INT_MAX)) > 0)
        ;
    if (copied < 0 || ftruncate(copy, end))
        abort();
    return close(copy);
}

int fsync(int fd)
{
    char place[PATH_MAX];
    struct stat file;
    if (fstat(fd, &file))
        return -1;
    if (!file.st_nlink || !find_place(fd, place))
        return 0;
    return S_ISDIR(file.st_mode) ? forget_names(fd, place) : keep_file(fd, place);
}

int fdatasync(int fd)
{
    return fsync(fd);
}
