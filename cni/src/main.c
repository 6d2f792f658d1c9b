/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Millrace's CNI plugin: the container runtime executes it, it asks the agent on the node, and hands on the result of
 * the plugin before it. docs/cni-plugin.md. Stdout is for one JSON object or nothing; all else goes to stderr.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "request.h"
#include "run.h"

/* A result in 0.x is longer than in 1.x by 14 bytes for each address, which itself takes 18 at least. */
static char output[2 * LONGEST_LINE];

/* CNI specification, section 5, "Error". */
static void write_error(struct writer *out, const struct cni_version *version, const struct cni_error *error)
{
	out->length = 0;
	out->full = false;
	write_text(out, "{\"cniVersion\":");
	write_string(out, slice_of((version ? version : CNI_NEWEST)->text));
	write_text(out, ",\"code\":");
	write_number(out, error->code);
	write_text(out, ",\"msg\":");
	write_string(out, slice_of(error->message));
	if (*error->details) {
		write_text(out, ",\"details\":");
		write_string(out, slice_of(error->details));
	}
	write_text(out, "}");
}

static bool print(struct slice text)
{
	while (text.length > 0) {
		ssize_t done = write(STDOUT_FILENO, text.at, text.length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			log_line(LOG_ERROR, "stdout cannot be written", "error", strerror(errno), NULL);
			return false;
		}
		text.at += done;
		text.length -= (size_t)done;
	}
	return true;
}

int main(void)
{
	static struct cni_error error;
	static struct call call;
	struct writer out = { .buffer = output, .size = sizeof(output) };
	/* A runtime that went away is an error of write(2) like others. */
	signal(SIGPIPE, SIG_IGN);
	call.started = deadline_in(0);
	call.out = &out;
	call.error = &error;
	bool ok = run(&call);
	if (!ok) {
		log_error("the call failed", &error);
		write_error(&out, call.config.version, &error);
	}
	return print(written(&out)) && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
