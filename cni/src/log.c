/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "writer.h"

/* Past this size the file becomes <name>.1, in place of the one before. */
#define LARGEST_FILE (1024 * 1024)
/* What the environment holds can be longer than anybody reads. */
#define LONGEST_FIELD 4096
#define MOST_FIELDS 16

static const char *const levels[] = {
	[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"
};

static struct {
	enum log_level level;
	int file; /* -1: none */
	const struct environment *environment;
	const struct pod *pod;
} log_state = { .level = LOG_INFO, .file = -1 };

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/*
 * Two processes may do this at once: then one more file than needed is dropped, of a log that is about the last
 * while.
 */
static void roll(const char *path)
{
	char previous[sizeof(((struct settings *)0)->log_file) + 2];
	snprintf(previous, sizeof(previous), "%s.1", path);
	if (rename(path, previous) != 0)
		return;
	int file = open_file(path);
	if (file < 0)
		return;
	close(log_state.file);
	log_state.file = file;
}

void log_to(enum log_level level, const char *path)
{
	struct stat status;
	log_state.level = level;
	if (!*path)
		return;
	log_state.file = open_file(path);
	if (log_state.file < 0) {
		log_line(LOG_WARN, "the log file cannot be opened", "file", path, "error", strerror(errno), NULL);
		return;
	}
	if (fstat(log_state.file, &status) == 0 && status.st_size > LARGEST_FILE)
		roll(path);
}

void log_about(const struct environment *environment, const struct pod *pod)
{
	log_state.environment = environment;
	log_state.pod = pod;
}

static void write_field(struct writer *out, const char *key, struct slice text)
{
	if (text.length == 0)
		return;
	write_text(out, ",\"");
	write_text(out, key);
	write_text(out, "\":");
	write_string(out, (struct slice){ text.at, text.length < LONGEST_FIELD ? text.length : LONGEST_FIELD });
}

static void write_time(struct writer *out)
{
	struct timespec now;
	struct tm utc;
	char text[64];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, sizeof(text) - length, ".%03ldZ", now.tv_nsec / 1000000);
	write_text(out, "{\"time\":");
	write_string(out, slice_of(text));
}

static void write_context(struct writer *out)
{
	const struct environment *environment = log_state.environment;
	const struct pod *pod = log_state.pod;
	if (environment && environment->command_name) {
		write_field(out, "command", slice_of(environment->command_name));
		write_field(out, "containerId", slice_of(environment->container_id));
	}
	if (pod && pod->present) {
		write_field(out, "namespace", pod->namespace);
		write_field(out, "pod", pod->name);
		write_field(out, "uid", pod->uid);
	}
}

/* In one write(2), so that lines of several processes do not mix; what cannot be logged must not stop the call. */
static void emit(int fd, struct slice line)
{
	ssize_t done = write(fd, line.at, line.length);
	(void)done;
}

void log_line(enum log_level level, const char *message, ...)
{
	/* A byte becomes six at most, \u001b for instance: the line always fits. */
	static char buffer[MOST_FIELDS * LONGEST_FIELD * 6];
	struct writer out = { .buffer = buffer, .size = sizeof(buffer) };
	if (level < log_state.level)
		return;
	write_time(&out);
	write_field(&out, "level", slice_of(levels[level]));
	write_field(&out, "msg", slice_of(message));
	write_context(&out);
	va_list fields;
	va_start(fields, message);
	const char *key;
	while ((key = va_arg(fields, const char *)))
		write_field(&out, key, slice_of(va_arg(fields, const char *)));
	va_end(fields);
	write_text(&out, "}\n");
	emit(STDERR_FILENO, written(&out));
	if (log_state.file >= 0)
		emit(log_state.file, written(&out));
}

void log_error(const char *message, const struct cni_error *error)
{
	char code[12];
	snprintf(code, sizeof(code), "%u", error->code);
	log_line(LOG_ERROR, message, "code", code, "problem", error->message, "details", error->details, NULL);
}
