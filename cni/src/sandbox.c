/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sandbox.h"

static bool ends_with(struct slice text, const char *suffix)
{
	size_t length = strlen(suffix);
	return text.length >= length && memcmp(text.at + text.length - length, suffix, length) == 0;
}

static bool copy_uid(struct slice text, bool of_slice, char uid[POD_UID_SIZE])
{
	if (text.length == 0 || text.length >= POD_UID_SIZE)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		char c = of_slice && text.at[i] == '_' ? '-' : text.at[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-'))
			return false;
		uid[i] = c;
	}
	uid[text.length] = '\0';
	return true;
}

/* Of one directory's name. */
static bool uid_in_name(struct slice name, char uid[POD_UID_SIZE])
{
	static const char prefix[] = "pod", suffix[] = ".slice";
	if (!ends_with(name, suffix))
		return slice_starts_with(name, slice_of(prefix)) &&
		       copy_uid((struct slice){ name.at + 3, name.length - 3 }, false, uid);
	name.length -= strlen(suffix);
	/* What follows the last dash: those of the uid are underscores. */
	struct slice last = name;
	for (size_t i = 0; i < name.length; i++) {
		if (name.at[i] == '-')
			last = (struct slice){ name.at + i + 1, name.length - i - 1 };
	}
	return slice_starts_with(last, slice_of(prefix)) &&
	       copy_uid((struct slice){ last.at + 3, last.length - 3 }, true, uid);
}

bool pod_uid_in_cgroups(struct slice cgroups, char uid[POD_UID_SIZE])
{
	struct slice name = { .at = cgroups.at };
	for (size_t i = 0; i < cgroups.length; i++) {
		const char *at = cgroups.at + i;
		if (*at != '/' && *at != '\n') {
			name.length++;
			continue;
		}
		if (uid_in_name(name, uid))
			return true;
		name = (struct slice){ .at = at + 1 };
	}
	return uid_in_name(name, uid);
}

/* The digits of /proc/<pid>/ns/net; empty for any other path. */
static struct slice pid_of(const char *netns)
{
	static const char before[] = "/proc/", behind[] = "/ns/net";
	if (strncmp(netns, before, strlen(before)) != 0)
		return (struct slice){ .at = NULL };
	const char *pid = netns + strlen(before);
	size_t length = strspn(pid, "0123456789");
	return (struct slice){ pid, strcmp(pid + length, behind) == 0 && length <= 10 ? length : 0 };
}

bool pod_uid_of_sandbox(const char *netns, char uid[POD_UID_SIZE])
{
	/* A line for each hierarchy; a path of 4096 bytes at most in the last. */
	static char cgroups[16 * 1024];
	char path[64];
	size_t length = 0;
	const struct slice pid = pid_of(netns);
	if (pid.length == 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%.*s/cgroup", (int)pid.length, pid.at);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (length < sizeof(cgroups)) {
		ssize_t got = read(fd, cgroups + length, sizeof(cgroups) - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	close(fd);
	return pod_uid_in_cgroups((struct slice){ cgroups, length }, uid);
}
