/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"
#include "json-check.h"
#include "json-read.h"
#include "json-string.h"

/* Of the codes of docs/cni-socket.md the highest has three digits. */
#define HIGHEST_CODE 9999

static enum reply nonsense(struct slice line, const char *what, struct cni_error *error)
{
	fail(error, CNI_IO_FAILURE, "the agent's reply is no reply: %s", what);
	because(error, "%.*s", SLICE(line));
	return REPLY_NONSENSE;
}

enum reply read_reply(struct slice line, struct cni_error *error)
{
	struct slice object, value;
	struct json_fault fault;
	if (!json_check(line, &object, &fault))
		return nonsense(line, fault.what, error);
	if (!json_find(object, "ok", &value) || json_kind(value) != JSON_BOOLEAN)
		return nonsense(line, "ok is missing", error);
	if (json_is_true(value))
		return REPLY_OK;
	struct slice code, message, details;
	unsigned int number;
	if (!json_find(object, "code", &code) || !json_whole_number(code, 1, HIGHEST_CODE, &number))
		return nonsense(line, "code is missing or no number", error);
	if (!json_find(object, "message", &message) || json_kind(message) != JSON_STRING)
		return nonsense(line, "message is missing or no text", error);
	error->code = number;
	error->details[0] = '\0';
	/* Both may be cut: a list of all that is wrong with a redirection can be long. */
	json_text(message, error->message, sizeof(error->message));
	if (json_find(object, "details", &details) && json_kind(details) == JSON_STRING)
		json_text(details, error->details, sizeof(error->details));
	return REPLY_REFUSED;
}
